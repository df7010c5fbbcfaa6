/**
 * Takes a page apart.
 * @module
 */
import { readDirective } from "./read-directive.ts";
import type { PageSource } from "./page-source.ts";
import type { Code, Part } from "./part.ts";
import { scanCode } from "./scan-code.ts";

/** What stands behind `<%`, and what it makes of the tag. */
const codeSigns: Readonly<Record<string, Code["kind"]>> = {
  "=": "escaped",
  "-": "raw",
  "!": "module",
};

/** The parts of a page in their order, without gaps. Throws a `BuildError` for a tag that is not whole. */
export function scan(source: PageSource): Part[] {
  const parts: Part[] = [];
  const { text } = source;
  // The byte order mark of some editors is no part of the page.
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
