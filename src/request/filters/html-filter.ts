/** A filter that changes elements of an HTML page while it streams. */
import type { RewritingStream } from "parse5-html-rewriting-stream";
import { badArgument } from "../../base/errors.ts";
import { escapeHtml } from "../../base/html.ts";
import {
  announceUtf8,
  charsetOf,
  chunkFilter,
  type Filter,
  type FilteredMessage,
} from "./filter.ts";

/** How content is inserted. */
export interface HtmlInsertion {
  /** Inserts markup; by default the content is text, and is escaped. @default false */
  html?: boolean;
}

/** An element whose start tag has arrived. */
export interface HtmlElement {
  /** In lower case. */
  readonly tagName: string;
  /** Undefined if the element has no such attribute. */
  getAttribute(name: string): string | undefined;
  setAttribute(name: string, value: string): this;
  removeAttribute(name: string): this;
  /** Inserts before the start tag. */
  before(content: string, how?: HtmlInsertion): this;
  /** Inserts after the end tag. */
  after(content: string, how?: HtmlInsertion): this;
  /** Inserts after the start tag. */
  prepend(content: string, how?: HtmlInsertion): this;
  /** Inserts before the end tag. */
  append(content: string, how?: HtmlInsertion): this;
  /** Replaces what is between start and end tag. */
  setInnerContent(content: string, how?: HtmlInsertion): this;
  /** Replaces the element and all in it. */
  replace(content: string, how?: HtmlInsertion): this;
  /** Removes the element and all in it. */
  remove(): this;
  /** Removes the tags only. */
  removeAndKeepContent(): this;
}

/** By CSS selector; called for each element that matches. */
export type HtmlRules = Readonly<
  Record<string, (element: HtmlElement, message: FilteredMessage) => void>
>;

/**
 * A filter that changes elements of HTML pages; everything else passes as it was written, as soon
 * as it arrives. Selectors are those of CSS without siblings and positions: an element is seen
 * before those that follow it.
 * @throws ModTsError `MODTS_BAD_ARGUMENT` for other selectors, at the first page
 * @example
 * export const outputFilter = htmlFilter({
 *   "a[href^='http:']": (link) => link.setAttribute("rel", "noopener"),
 *   body: (body) => body.append("<script src=/survey.js></script>", { html: true }),
 * });
 */
export function htmlFilter(rules: HtmlRules): Filter {
  let compiled: Promise<readonly Rule[]> | undefined;
  return chunkFilter(async function* rewrite(chunks, message) {
    compiled ??= compileRules(rules);
    const { RewritingStream: Stream } = await import("parse5-html-rewriting-stream");
    const stream = new Stream();
    const charset = charsetOf(message.contentType);
    const decoder = new TextDecoder(charset);
    if (charset !== "utf-8") announceUtf8(message);
    let output = "";
    // Its readable side would cost more than the parser: a page has tens of thousands of parts.
    stream.push = (text: string | null) => {
      output += text ?? "";
      return true;
    };
    new Rewriter(stream, await compiled, message).listen();
    const take = (): string => {
      const text = output;
      output = "";
      return text;
    };
    for await (const chunk of chunks) {
      await write(stream, decoder.decode(chunk, { stream: true }));
      yield take();
    }
    await end(stream, decoder.decode());
    yield take();
  });
}

function write(stream: RewritingStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, "utf8", (error) => (error ? reject(error) : resolve()));
  });
}

function end(stream: RewritingStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once("finish", resolve).once("error", reject);
    stream.end(text);
  });
}

type StartTag = Parameters<RewritingStream["emitStartTag"]>[0];
type EndTag = Parameters<RewritingStream["emitEndTag"]>[0];

/** As css-select reads it: selectors that are allowed ask for no more. */
interface Element {
  readonly type: "tag";
  readonly name: string;
  readonly attribs: Readonly<Record<string, string>>;
  readonly parent: Element | null;
}

interface Rule {
  readonly matches: (element: Element) => boolean;
  readonly change: HtmlRules[string];
}

async function compileRules(rules: HtmlRules): Promise<readonly Rule[]> {
  const [{ compile }, { parse }] = await Promise.all([import("css-select"), import("css-what")]);
  return Object.entries(rules).map(([selector, change]) => {
    const tokens = parse(selector).flat();
    const other = tokens.find(({ type }) => !known.has(type));
    if (other) {
      throw badArgument(
        "htmlFilter",
        `selector ${selector}: ${other.type} needs elements that have passed`,
      );
    }
    return { matches: compile(selector) as unknown as Rule["matches"], change };
  });
}

const known: ReadonlySet<string> = new Set("attribute universal tag descendant child".split(" "));

/** An open element, and what is to come at its end. */
interface Open {
  readonly node: Element;
  readonly atEnd: Edit;
}

class Rewriter {
  readonly #stream: RewritingStream;
  readonly #rules: readonly Rule[];
  readonly #message: FilteredMessage;
  readonly #open: Open[] = [];
  /** Depth below which nothing is sent; 0: everything is. */
  #hiddenFrom = 0;

  constructor(stream: RewritingStream, rules: readonly Rule[], message: FilteredMessage) {
    this.#stream = stream;
    this.#rules = rules;
    this.#message = message;
  }

  listen(): void {
    const stream = this.#stream;
    stream.on("startTag", (tag, raw) => this.#start(tag, raw));
    stream.on("endTag", (tag, raw) => this.#end(tag, raw));
    for (const event of ["text", "comment", "doctype"]) {
      stream.on(event, (_: unknown, raw: string) => this.#emit(raw));
    }
  }

  #emit(raw: string): void {
    if (this.#hiddenFrom === 0 && raw !== "") this.#stream.emitRaw(raw);
  }

  #start(tag: StartTag, raw: string): void {
    const isVoid = tag.selfClosing || voidElements.has(tag.tagName);
    const node = nodeOf(tag, this.#open.at(-1)?.node ?? null);
    const edit = new Edit(tag);
    if (this.#hiddenFrom === 0) {
      for (const rule of this.#rules) if (rule.matches(node)) rule.change(edit, this.#message);
    }
    this.#emit(edit.beforeTag);
    if (!edit.isTagless) {
      if (!edit.isChanged) this.#emit(raw);
      else if (this.#hiddenFrom === 0) this.#stream.emitStartTag(tag);
    }
    this.#emit(edit.afterStart);
    if (isVoid) return this.#emit(edit.afterTag);
    this.#open.push({ node, atEnd: edit });
    if (edit.hidesContent && this.#hiddenFrom === 0) this.#hiddenFrom = this.#open.length;
  }

  #end({ tagName }: EndTag, raw: string): void {
    const at = this.#open.findLastIndex(({ node }) => node.name === tagName);
    if (at < 0) return this.#emit(raw);
    // Elements whose end tag was left out end here, too.
    while (this.#open.length > at + 1) this.#close("");
    this.#close(raw);
  }

  #close(raw: string): void {
    if (this.#hiddenFrom === this.#open.length) this.#hiddenFrom = 0;
    const { atEnd } = this.#open.pop()!;
    this.#emit(atEnd.beforeEnd);
    if (!atEnd.isTagless) this.#emit(raw);
    this.#emit(atEnd.afterTag);
  }
}

/** What a rule wants of an element. */
class Edit implements HtmlElement {
  readonly #tag: StartTag;
  beforeTag = "";
  afterStart = "";
  beforeEnd = "";
  afterTag = "";
  isChanged = false;
  isTagless = false;
  hidesContent = false;

  constructor(tag: StartTag) {
    this.#tag = tag;
  }

  get tagName(): string {
    return this.#tag.tagName;
  }
  getAttribute(name: string): string | undefined {
    return this.#tag.attrs.find((attribute) => attribute.name === name.toLowerCase())?.value;
  }
  setAttribute(name: string, value: string): this {
    // Attack: a name with a blank or ">" would be markup.
    if (!/^[^\s"'<>/=\0]+$/.test(name))
      throw badArgument("setAttribute", `"${name}" is not a name`);
    this.removeAttribute(name);
    this.#tag.attrs.push({ name: name.toLowerCase(), value });
    return this;
  }
  removeAttribute(name: string): this {
    this.#tag.attrs = this.#tag.attrs.filter((attribute) => attribute.name !== name.toLowerCase());
    this.isChanged = true;
    return this;
  }
  before(content: string, how?: HtmlInsertion): this {
    this.beforeTag += toMarkup(content, how);
    return this;
  }
  after(content: string, how?: HtmlInsertion): this {
    this.afterTag = toMarkup(content, how) + this.afterTag;
    return this;
  }
  prepend(content: string, how?: HtmlInsertion): this {
    this.afterStart = toMarkup(content, how) + this.afterStart;
    return this;
  }
  append(content: string, how?: HtmlInsertion): this {
    this.beforeEnd += toMarkup(content, how);
    return this;
  }
  setInnerContent(content: string, how?: HtmlInsertion): this {
    this.afterStart = toMarkup(content, how);
    this.beforeEnd = "";
    this.hidesContent = true;
    return this;
  }
  replace(content: string, how?: HtmlInsertion): this {
    return this.remove().before(content, how);
  }
  remove(): this {
    this.afterStart = "";
    this.beforeEnd = "";
    this.hidesContent = true;
    this.isTagless = true;
    return this;
  }
  removeAndKeepContent(): this {
    this.isTagless = true;
    return this;
  }
}

function toMarkup(content: string, how: HtmlInsertion = {}): string {
  return how.html ? content : escapeHtml(content);
}

function nodeOf({ tagName, attrs }: StartTag, parent: Element | null): Element {
  const attribs: Record<string, string> = Object.create(null);
  for (const { name, value } of attrs) attribs[name] = value;
  return { type: "tag", name: tagName, attribs, parent };
}

const voidElements: ReadonlySet<string> = new Set(
  "area base br col embed hr img input link meta source track wbr".split(" "),
);
