/**
 * `<%@ name attribute="value" %>`, and which there are.
 * @module
 */
import { closest } from "../closest.ts";
import type { PageSource } from "./page-source.ts";
import type { Attribute, Directive } from "./part.ts";

/** Attributes of a directive. */
interface Rule {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

const rules: Readonly<Record<string, Rule>> = {
  page: { required: [], optional: ["contentType", "errorPage", "pathInfo"] },
  include: { required: ["file"], optional: ["with"] },
  layout: { required: ["file"], optional: ["with"] },
  block: { required: ["name"], optional: [] },
  slot: { required: ["name"], optional: [] },
  body: { required: [], optional: [] },
  end: { required: [], optional: [] },
};

/** What the value of an attribute must look like, and how to say so. */
const forms: Readonly<Record<string, readonly [RegExp, string]>> = {
  // A path from the root is no place in a site that moves, and /etc/passwd is nobody's page.
  file: [
    /^(?!\/)[^\0\\]*[^/\0\\]\.tsp$/,
    "must name a page (.tsp), relative to the folder of this one",
  ],
  name: [/^[A-Za-z][\w-]*$/, "must be a letter and then letters, digits, _ or -"],
  errorPage: [
    /^[^\0\\]+\.tsp$/,
    "must name a page (.tsp), relative to this one or from the document root with /",
  ],
  pathInfo: [/^(?:on|off)$/, "must be on or off"],
  contentType: [/^[\w.+-]+\/[\w.+-]+(?:\s*;[ -~]*)?$/, "must be a media type, e.g. text/plain"],
  with: [/\S/, "must be an expression, e.g. { title }"],
};

/** Reads the directive that begins at `open`. Throws a `BuildError`. */
export function readDirective(source: PageSource, open: number): Directive {
  const { text } = source;
  const [head, name = ""] = matchAt(/<%@\s*([\w-]*)/y, text, open) as RegExpExecArray;
  const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
  if (!rule) return refuseName(source, open, name);
  const attributes = new Map<string, Attribute>();
  let at = open + head.length;
  for (;;) {
    const found = matchAt(/\s+([\w-]+)\s*=\s*("[^"]*"|'[^']*')/y, text, at);
    if (!found) break;
    const [whole, key = "", quoted = ""] = found;
    const start = at + whole.length - quoted.length + 1;
    at += whole.length;
    if (attributes.has(key)) source.fail(`${key} is given twice`, start);
    attributes.set(key, { value: quoted.slice(1, -1), start });
  }
  const close = matchAt(/\s*%>/y, text, at);
  if (!close) source.fail(`<%@ ${name} … %> goes on here with what is no attribute="value"`, at);
  const directive: Directive = {
    kind: "directive",
    start: open,
    end: at + close[0].length,
    name,
    attributes,
  };
  checkAttributes(source, directive, rule);
  return directive;
}

function checkAttributes(source: PageSource, { name, attributes, start }: Directive, rule: Rule) {
  const known = [...rule.required, ...rule.optional];
  for (const [key, { value, start: at }] of attributes) {
    if (!known.includes(key)) {
      const list = known.length > 0 ? `it has: ${known.join(", ")}` : "it has none";
      source.fail(`${name} has no attribute ${key}; ${list}`, at);
    }
    const [pattern, must] = forms[key] as readonly [RegExp, string];
    if (!pattern.test(value)) source.fail(`${key}="${value}" of ${name} ${must}`, at);
  }
  for (const key of rule.required) {
    if (!attributes.has(key)) source.fail(`${name} needs ${key}="…"`, start);
  }
}

function refuseName(source: PageSource, open: number, name: string): never {
  const names = Object.keys(rules);
  const near = closest(name, names);
  const hint = near ? `did you mean ${near}?` : `there are: ${names.join(", ")}`;
  return source.fail(`there is no directive "${name}"; ${hint}`, open);
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
