/**
 * The end of the code in a tag. `%>` inside of a string, a template, a regular expression or a block comment does not end it;
 * in a line comment it does, or `<% // note %>` would swallow the rest of the page.
 * @module
 */
import jsTokens, { type Token } from "js-tokens";
import type { PageSource } from "./page-source.ts";
import type { CodeToken } from "./part.ts";

/** The code of a tag. */
export interface ScannedCode {
  /** Where the code ends; a line comment just before `%>` is left out. */
  readonly end: number;
  /** Where the tag ends, behind `%>`. */
  readonly tagEnd: number;
  /** Without white space and comments. */
  readonly tokens: readonly CodeToken[];
}

const skipped: ReadonlySet<string> = new Set([
  "WhiteSpace",
  "LineTerminatorSequence",
  "MultiLineComment",
  "SingleLineComment",
  "HashbangComment",
]);

/** What a literal that is not closed is called in the message. */
const literals: Readonly<Record<string, string>> = {
  StringLiteral: "string",
  NoSubstitutionTemplate: "template string",
  TemplateTail: "template string",
  RegularExpressionLiteral: "regular expression",
  MultiLineComment: "comment",
};

/** Where code begins. */
export interface CodeStart {
  readonly start: number;
  /** Where its tag begins. */
  readonly open: number;
  /** The code and what follows it; by default all of the page from `start` on. */
  readonly text?: string;
}

/** Reads code up to its `%>`. */
export function scanCode(source: PageSource, from: CodeStart): ScannedCode {
  const { start, open, text = source.text.slice(start) } = from;
  const tokens: CodeToken[] = [];
  let at = 0;
  for (const token of jsTokens(text)) {
    const begin = at;
    at += token.value.length;
    const close = closeIn(token, text[at]);
    if (close >= 0) {
      return { end: start + begin, tagEnd: start + begin + close + 2, tokens };
    }
    if ("closed" in token && !token.closed) refuseOpenLiteral(source, token, start + begin);
    if (skipped.has(token.type)) continue;
    const isName = token.type === "IdentifierName";
    tokens.push({ value: token.value, isName, start: start + begin });
  }
  return source.fail("this tag is not closed; end it with %>", open);
}

/** Where `%>` stands in a token, or begins with it; -1 when it does not. */
function closeIn({ type, value }: Token, next: string | undefined): number {
  if (type === "Punctuator") return value === "%" && next === ">" ? 0 : -1;
  return type === "SingleLineComment" || type === "HashbangComment" ? value.indexOf("%>") : -1;
}

function refuseOpenLiteral(source: PageSource, { type }: Token, at: number): never {
  const name = literals[type] ?? "literal";
  return source.fail(`this ${name} is not closed, so its tag has no end; close it`, at);
}
