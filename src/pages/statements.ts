/**
 * What must stand between the code of a tag and what follows it.
 * @module
 */
import type { CodeToken } from "./part.ts";

/** Behind these the code goes on; a semicolon would be a statement of its own there, and `if (x);` a door left open. */
const openEnds = new Set(["{", "(", "[", ",", ";", ":", "=", "=>", "else", "do", "try", "finally"]);

/** Heads of statements that end in a parenthesis. */
const heads = new Set(["if", "while", "for", "with", "catch", "switch"]);

/** What cannot begin a statement, so it goes on with the one before. */
const goesOn = new Set(
  "else catch finally while ) ] } , . ?. ; : ? && || ?? = in of instanceof as satisfies".split(" "),
);

/** `;` or nothing: what ends `tokens` before `next`, which is undefined when text follows. */
export function terminator(
  tokens: readonly CodeToken[],
  next: readonly CodeToken[] | undefined,
): string {
  const last = tokens.at(-1)?.value;
  if (last === undefined || openEnds.has(last)) return "";
  if (last === ")" && heads.has(wordBeforeParenthesis(tokens))) return "";
  return next?.[0] && goesOn.has(next[0].value) ? "" : ";";
}

/** The word before the parenthesis that closes at the end; `for await (` counts as `for`. */
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
