/** White space that is not sent: of lines with only silent tags, and between `}` and `else`. */
import type { Part, Text } from "./page-source.ts";

/** Tags without output of their own, or whole files with their own line feed. */
const silent: ReadonlySet<Part["kind"]> = new Set(["statements", "module", "comment", "directive"]);

/** Words that must follow the statement before them. */
const continuing: ReadonlySet<string> = new Set(["else", "catch", "finally", "case", "default"]);

/** The same parts, with such white space as gaps. */
export function findGaps(text: string, parts: readonly Part[]): Part[] {
  return joinStatements(text, splitLines(text, parts));
}

function splitLines(text: string, parts: readonly Part[]): Part[] {
  const line = new Line();
  const result: Part[] = [];
  for (const part of parts) {
    if (part.kind !== "text" || part.literal !== undefined) {
      result.push(part);
      line.addTag(part);
      continue;
    }
    for (const piece of lines(text, part)) {
      result.push(piece);
      line.addText(piece, text.slice(piece.start, piece.end));
    }
  }
  line.end();
  return result.map((part) => (line.gaps.has(part) ? { ...part, kind: "gap" as const } : part));
}

class Line {
  /** White space of lines without output. */
  readonly gaps = new Set<Part>();
  #blanks: Text[] = [];
  #hasTag = false;
  #isSilent = true;
  /** Blocks and slots begun in this line; the entry of a block restores the line before it. */
  #open: ((() => void) | undefined)[] = [];

  addTag(part: Part): void {
    if (!silent.has(part.kind)) this.#isSilent = false;
    this.#hasTag = true;
    if (part.kind !== "directive") return;
    if (part.name === "block") this.#open.push(this.#remember());
    else if (part.name === "slot") this.#open.push(undefined);
    else if (part.name === "end") this.#open.pop()?.();
  }

  addText(piece: Text, content: string): void {
    if (/\S/.test(content)) this.#isSilent = false;
    else this.#blanks.push(piece);
    if (content.endsWith("\n")) this.end();
  }

  end(): void {
    if (this.#isSilent && this.#hasTag) for (const blank of this.#blanks) this.gaps.add(blank);
    this.#blanks = [];
    this.#hasTag = false;
    this.#isSilent = true;
    this.#open = [];
  }

  #remember(): () => void {
    const [blanks, isSilent] = [this.#blanks, this.#isSilent];
    this.#blanks = [];
    return () => {
      this.#blanks = blanks;
      this.#isSilent = isSilent;
    };
  }
}

/** The first line of a text, its last one, and the rest between them. */
function lines(text: string, { start, end }: Text): Text[] {
  const first = text.indexOf("\n", start) + 1 || end;
  const last = text.lastIndexOf("\n", end - 1) + 1;
  const cuts = [start, Math.min(first, end), Math.max(last, Math.min(first, end)), end];
  return cuts
    .slice(1)
    .map((cut, index) => ({ kind: "text" as const, start: cuts[index] as number, end: cut }))
    .filter((piece) => piece.end > piece.start);
}

function joinStatements(text: string, parts: readonly Part[]): Part[] {
  return parts.map((part, index) => {
    if (part.kind !== "text" || !isBlank(text, part)) return part;
    const before = neighbor(text, parts, index, -1);
    const after = neighbor(text, parts, index, 1);
    if (before?.kind !== "statements" || after?.kind !== "statements") return part;
    const next = after.tokens[0]?.value ?? "";
    return continuing.has(next) ? { ...part, kind: "gap" as const } : part;
  });
}

function neighbor(
  text: string,
  parts: readonly Part[],
  index: number,
  step: 1 | -1,
): Part | undefined {
  let at = index + step;
  while (parts[at] && isBlank(text, parts[at] as Part)) at += step;
  return parts[at];
}

/** Allowed between two statements that belong together. */
function isBlank(text: string, part: Part): boolean {
  if (part.kind === "comment" || part.kind === "gap") return true;
  return part.kind === "text" && !/\S/.test(text.slice(part.start, part.end));
}
