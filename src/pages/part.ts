/**
 * What a page is made of, in the order it is written: text and tags.
 * @module
 */

/** A word or sign of the code in a tag. */
export interface CodeToken {
  readonly value: string;
  /** Whether it is a name or a keyword. */
  readonly isName: boolean;
  /** Where it begins in the page, in UTF-16 units. */
  readonly start: number;
}

/** A piece of a page. `start` and `end` bound all of it, tags with their signs, in UTF-16 units. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** What is sent as it is. */
export interface Text extends Span {
  readonly kind: "text";
  /** What is sent in its place: `<%` for `<%%`. */
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
  /** Bounds of the code without the signs, and without a line comment at its end. */
  readonly code: Span;
  /** Without white space and comments. */
  readonly tokens: readonly CodeToken[];
}

/** `name="value"` of a directive. */
export interface Attribute {
  readonly value: string;
  /** Where the value begins, behind its quotation mark. */
  readonly start: number;
}

/** `<%@ name attribute="value" %>`. */
export interface Directive extends Span {
  readonly kind: "directive";
  readonly name: string;
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export type Part = Text | Comment | Gap | Code | Directive;
