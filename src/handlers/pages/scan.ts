/**
 * Scanner: splits a page into text, code and directives. `%>` inside a string, template, regular
 * expression or block comment does not end a tag. In a line comment it does, or `<% // note %>`
 * would swallow the rest of the page.
 */
import jsTokens, { type Token } from "js-tokens";
import { closest } from "../../base/did-you-mean.ts";
import type { Attribute, Code, CodeToken, Directive, PageSource, Part } from "./page-source.ts";

/** Signs behind `<%`. */
const codeSigns: Readonly<Record<string, Code["kind"]>> = {
  "=": "escaped",
  "-": "raw",
  "!": "module",
};

/** Parts in order, without gaps. Throws a `BuildError` for incomplete tags. */
export function scan(source: PageSource): Part[] {
  const parts: Part[] = [];
  const { text } = source;
  // Some editors write a byte order mark.
  const first = text.startsWith("\uFEFF") ? 1 : 0;
  if (first === 1) parts.push({ kind: "gap", start: 0, end: 1 });
  for (let at = first; at < text.length;) {
    const open = text.indexOf("<%", at);
    const end = open < 0 ? text.length : open;
    if (end > at) parts.push({ kind: "text", start: at, end });
    if (open < 0) break;
    const tag = scanTag(source, open);
    parts.push(tag);
    at = tag.end;
  }
  return parts;
}

function scanTag(source: PageSource, open: number): Part {
  const { text } = source;
  const sign = text[open + 2] ?? "";
  if (sign === "%") return { kind: "text", start: open, end: open + 3, literal: "<%" };
  if (text.startsWith("--", open + 2)) return scanComment(source, open);
  if (sign === "@") return readDirective(source, open);
  const kind = codeSigns[sign];
  const start = open + (kind ? 3 : 2);
  const { end, tagEnd, tokens } = scanCode(source, { start, open });
  if (tokens.length === 0 && (kind === "escaped" || kind === "raw")) {
    source.fail("this tag has no expression; write one, or take the tag away", open);
  }
  return { kind: kind ?? "statements", start: open, end: tagEnd, code: { start, end }, tokens };
}

function scanComment(source: PageSource, open: number): Part {
  const close = source.text.indexOf("--%>", open + 4);
  if (close < 0) source.fail("this comment is not closed; end it with --%>", open);
  return { kind: "comment", start: open, end: close + 4 };
}

export interface ScannedCode {
  /** End of the code, without a final line comment. */
  readonly end: number;
  /** End of the tag, behind `%>`. */
  readonly tagEnd: number;
  /** Without white space and comments. */
  readonly tokens: readonly CodeToken[];
}

const skipped: ReadonlySet<string> = new Set(
  "WhiteSpace LineTerminatorSequence MultiLineComment SingleLineComment HashbangComment".split(" "),
);

/** Names of unclosed literals in messages. */
const literals: Readonly<Record<string, string>> = {
  StringLiteral: "string",
  NoSubstitutionTemplate: "template string",
  TemplateTail: "template string",
  RegularExpressionLiteral: "regular expression",
  MultiLineComment: "comment",
};

export interface CodeStart {
  readonly start: number;
  /** Offset of its tag. */
  readonly open: number;
  /** The code and what follows it; default: the page from `start` on. */
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
    if (close >= 0) return { end: start + begin, tagEnd: start + begin + close + 2, tokens };
    // An HTML tag, as in `<%= name</b>`: a comparison with a regular expression makes no sense.
    if (token.type === "RegularExpressionLiteral" && text[begin - 1] === "<") break;
    if ("closed" in token && !token.closed) refuseOpenLiteral(source, token, start + begin);
    if (skipped.has(token.type)) continue;
    const isName = token.type === "IdentifierName";
    tokens.push({ value: token.value, isName, start: start + begin });
  }
  return source.fail("this tag is not closed; end it with %>", open);
}

/** Offset of `%>` in a token, or at its end; -1 if missing. */
function closeIn({ type, value }: Token, next: string | undefined): number {
  if (type === "Punctuator") return value === "%" && next === ">" ? 0 : -1;
  return type === "SingleLineComment" || type === "HashbangComment" ? value.indexOf("%>") : -1;
}

function refuseOpenLiteral(source: PageSource, { type }: Token, at: number): never {
  const name = literals[type] ?? "literal";
  return source.fail(`this ${name} is not closed, so its tag has no end; close it`, at);
}

interface Rule {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

const rules: Readonly<Record<string, Rule>> = {
  page: { required: [], optional: ["contentType", "errorPage", "pathInfo"] },
  include: { required: ["file"], optional: ["with"] },
  layout: { required: ["file"], optional: ["with"] },
  block: { required: ["name"], optional: [] },
  slot: { required: ["name"], optional: [] },
  body: { required: [], optional: [] },
  end: { required: [], optional: [] },
};

/** Patterns of attribute values, and their descriptions. */
const forms: Readonly<Record<string, readonly [RegExp, string]>> = {
  // Attack: /etc/passwd. Sites move, too: no paths from the root.
  file: [
    /^(?!\/)[^\0\\]*[^/\0\\]\.tsp$/,
    "must name a page (.tsp), relative to the directory of this one",
  ],
  name: [/^[A-Za-z][\w-]*$/, "must be a letter and then letters, digits, _ or -"],
  errorPage: [
    /^[^\0\\]+\.tsp$/,
    "must name a page (.tsp), relative to this one or from the document root with /",
  ],
  pathInfo: [/^(?:on|off)$/i, "must be On or Off"],
  contentType: [/^[\w.+-]+\/[\w.+-]+(?:\s*;[ -~]*)?$/, "must be a media type, e.g. text/plain"],
  with: [/\S/, "must be an expression, e.g. { title }"],
};

/** Reads the directive at `open`. Throws a `BuildError`. */
function readDirective(source: PageSource, open: number): Directive {
  const { text } = source;
  const [head, name = ""] = matchAt(/<%@\s*([\w-]*)/y, text, open) as RegExpExecArray;
  const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
  if (!rule) return refuseName(source, open, name);
  const attributes = new Map<string, Attribute>();
  let at = open + head.length;
  for (;;) {
    const found = matchAt(/\s+([\w-]+)\s*=\s*("[^"]*"|'[^']*')/y, text, at);
    if (!found) break;
    const [whole, key = "", quoted = ""] = found;
    const start = at + whole.length - quoted.length + 1;
    at += whole.length;
    if (attributes.has(key)) source.fail(`${key} is given twice`, start);
    attributes.set(key, { value: quoted.slice(1, -1), start });
  }
  const close = matchAt(/\s*%>/y, text, at);
  if (!close) source.fail(`<%@ ${name} … %> has something other than attribute="value" here`, at);
  const directive: Directive = {
    kind: "directive",
    start: open,
    end: at + close[0].length,
    name,
    attributes,
  };
  checkAttributes(source, directive, rule);
  return directive;
}

function checkAttributes(source: PageSource, { name, attributes, start }: Directive, rule: Rule) {
  const known = [...rule.required, ...rule.optional];
  for (const [key, { value, start: at }] of attributes) {
    if (!known.includes(key)) {
      const list = known.length > 0 ? `attributes: ${known.join(", ")}` : "there are none";
      source.fail(`${name} has no attribute ${key}; ${list}`, at);
    }
    const [pattern, must] = forms[key] as readonly [RegExp, string];
    if (!pattern.test(value)) source.fail(`${key}="${value}" of ${name} ${must}`, at);
  }
  for (const key of rule.required) {
    if (!attributes.has(key)) source.fail(`${name} needs ${key}="…"`, start);
  }
}

function refuseName(source: PageSource, open: number, name: string): never {
  const names = Object.keys(rules);
  const near = closest(name, names);
  const hint = near ? `did you mean ${near}?` : `there are: ${names.join(", ")}`;
  return source.fail(`there is no directive "${name}"; ${hint}`, open);
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
