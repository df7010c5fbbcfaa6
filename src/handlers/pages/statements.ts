/** Checks of the code in tags: where a semicolon is needed, and whether it is one expression. */
import type { CodeToken, PageSource } from "./page-source.ts";

/** The code continues after these; a semicolon would be a statement, and `if (x);` a bug. */
const openEnds = new Set(["{", "(", "[", ",", ";", ":", "=", "=>", "else", "do", "try", "finally"]);

/** Heads of statements that end in a parenthesis. */
const heads = new Set(["if", "while", "for", "with", "catch", "switch"]);

/** These cannot begin a statement, so they continue the one before. */
const goesOn = new Set(
  "else catch finally while ) ] } , . ?. ; : ? && || ?? = in of instanceof as satisfies".split(" "),
);

/** `;` or nothing: ends `tokens` before `next`, which is undefined when text follows. */
export function terminator(
  tokens: readonly CodeToken[],
  next: readonly CodeToken[] | undefined,
): string {
  const last = tokens.at(-1)?.value;
  if (last === undefined || openEnds.has(last)) return "";
  if (last === ")" && heads.has(wordBeforeParenthesis(tokens))) return "";
  return next?.[0] && goesOn.has(next[0].value) ? "" : ";";
}

/** Word before the closing parenthesis at the end; `for await (` counts as `for`. */
function wordBeforeParenthesis(tokens: readonly CodeToken[]): string {
  let depth = 0;
  for (let index = tokens.length - 1; index >= 0; index--) {
    const { value } = tokens[index] as CodeToken;
    if (value === ")") depth += 1;
    if (value === "(") depth -= 1;
    if (depth > 0) continue;
    const word = tokens[index - 1];
    const before = word?.value === "await" ? tokens[index - 2] : word;
    const isMember = tokens[index - 2]?.value === "." || tokens[index - 2]?.value === "?.";
    return isMember ? "" : (before?.value ?? "");
  }
  return "";
}

const pairs: ReadonlyMap<string, string> = new Map([
  [")", "("],
  ["]", "["],
  ["}", "{"],
]);
const openers: ReadonlySet<string> = new Set(pairs.values());

/** Throws a `BuildError` at the wrong token, as the translation adds parentheses. */
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
