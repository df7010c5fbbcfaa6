/** Text of a page, and the parts it consists of. */
import { BuildError, positionAt } from "../../loader/build-error.ts";

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

/** Word or sign of the code in a tag. */
export interface CodeToken {
  readonly value: string;
  /** Whether it is a name or a keyword. */
  readonly isName: boolean;
  /** Offset in the page, in UTF-16 units. */
  readonly start: number;
}

/** Piece of a page. `start` and `end` are UTF-16 offsets that include the signs of tags. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Text that is sent as it is. */
export interface Text extends Span {
  readonly kind: "text";
  /** Sent instead: `<%` for `<%%`. */
  readonly literal?: string;
}

/** `<%-- … --%>`. */
export interface Comment extends Span {
  readonly kind: "comment";
}

/** White space that is not sent. */
export interface Gap extends Span {
  readonly kind: "gap";
}

/** `<% … %>`, `<%= … %>`, `<%- … %>`, `<%! … %>`. */
export interface Code extends Span {
  readonly kind: "statements" | "escaped" | "raw" | "module";
  /** Bounds of the code without signs and final line comment. */
  readonly code: Span;
  /** Without white space and comments. */
  readonly tokens: readonly CodeToken[];
}

/** `name="value"` of a directive. */
export interface Attribute {
  readonly value: string;
  /** Offset of the value, behind its quotation mark. */
  readonly start: number;
}

/** `<%@ name attribute="value" %>`. */
export interface Directive extends Span {
  readonly kind: "directive";
  readonly name: string;
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export type Part = Text | Comment | Gap | Code | Directive;
