/**
 * The text of a page, and mistakes in it.
 * @module
 */
import { BuildError, positionAt } from "../loader/build-error.ts";

/** A page as its author wrote it. */
export class PageSource {
  /** Absolute path. */
  readonly file: string;
  readonly text: string;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** Throws a {@link BuildError} that shows the place. */
  fail(reason: string, offset: number): never {
    const { file, text } = this;
    throw new BuildError(reason, { file, ...positionAt(text, offset) }, { source: text });
  }
}
