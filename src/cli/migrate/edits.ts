/** What becomes of the lines of a configuration, and what is reported of it. */
import { getOrCreate } from "../../base/cache.ts";
import type { SourceDirective } from "../../httpd/config-source.ts";
import { isNamed, type Place, splitWords } from "../../httpd/config-tree.ts";

/** What takes the place of a line, which stays as a comment. */
export interface Edit {
  readonly lines: string[];
  /** Comments before them. */
  readonly notes: string[];
  /** Behind them, or behind the section. */
  readonly after: string[];
  /** The line itself stays in force. */
  isKept?: boolean;
}

/** `done`: converted. `hand`: needs work by hand. `closed`: needs it, and is refused until then. */
export interface Note {
  readonly level: "done" | "hand" | "closed";
  readonly place: Place;
  readonly text: string;
}

/** Denies everything, whatever other sections say: `<If>` is merged last. */
export const denyAll: readonly string[] = ['<If "true">', "    Require all denied", "</If>"];

export class Edits {
  readonly notes: Note[] = [];
  readonly #edits = new Map<SourceDirective, Edit>();

  of(directive: SourceDirective): Edit | undefined {
    return this.#edits.get(directive);
  }

  /** Puts lines in the place of a directive, or after those that are there. */
  replace(directive: SourceDirective, ...lines: readonly string[]): void {
    const edit = this.#edit(directive);
    edit.isKept = directive.isSection;
    edit.lines.push(...lines);
    const first = lines.find((line) => !line.startsWith("#")) ?? lines[0]?.slice(2) ?? "";
    // Values may be passwords, and reports end in logs.
    const isValue = isNamed(directive, "PythonOption");
    const text = isValue
      ? `PythonOption ${splitWords(directive.args)[0] ?? ""}`
      : `${directive.name} ${directive.args}`.trim().replaceAll(/\s+/g, " ");
    const shown = isValue ? (first.split(" ")[1] ?? "") : first;
    this.notes.push({ level: "done", place: directive.place, text: `${text} -> ${shown}` });
  }

  /** Puts lines after one that stays as it is; for a section, at its begin. */
  add(directive: SourceDirective, ...lines: readonly string[]): void {
    this.#edit(directive, true).lines.push(...lines);
  }

  /** Something that the administrator has to do. */
  byHand(directive: SourceDirective, text: string): void {
    this.#note(directive, "hand", text);
  }

  /** Something that cannot be guarded. */
  close(directive: SourceDirective, text: string, denial: readonly string[] = denyAll): void {
    this.#note(directive, "closed", text);
    this.#edit(directive).lines.push(...denial);
  }

  /** Puts lines behind a directive or section that stays as it is, once. */
  addBehind(directive: SourceDirective, lines: readonly string[]): void {
    this.add(directive);
    const { after } = this.#edit(directive);
    if (after.length === 0) after.push(...lines);
  }

  #note(directive: SourceDirective, level: Note["level"], text: string): void {
    const closed = level === "closed" ? " Closed until then." : "";
    this.#edit(directive).notes.push(`${text}.${closed}`);
    this.notes.push({ level, place: directive.place, text });
  }

  #edit(directive: SourceDirective, isKept = directive.isSection): Edit {
    return getOrCreate(this.#edits, directive, () => ({ lines: [], notes: [], after: [], isKept }));
  }
}
