/**
 * Refuses what is no single expression, before it meets the parentheses that the translation puts around it.
 * @module
 */
import type { PageSource } from "./page-source.ts";
import type { CodeToken } from "./part.ts";

const pairs: ReadonlyMap<string, string> = new Map([
  [")", "("],
  ["]", "["],
  ["}", "{"],
]);
const openers: ReadonlySet<string> = new Set(pairs.values());

/** Throws a `BuildError` at the token that is wrong. There is at least one token. */
export function checkExpression(source: PageSource, tokens: readonly CodeToken[]): void {
  const last = tokens.at(-1);
  if (last?.value === ";") {
    source.fail("an expression has no semicolon; take it away, or write <% … %>", last.start);
  }
  const open: CodeToken[] = [];
  for (const token of tokens) {
    if (openers.has(token.value)) open.push(token);
    const opener = pairs.get(token.value);
    if (opener === undefined || open.pop()?.value === opener) continue;
    source.fail(`"${token.value}" closes nothing in this expression`, token.start);
  }
  const left = open.at(-1);
  if (left) source.fail(`"${left.value}" is not closed in this expression`, left.start);
}
