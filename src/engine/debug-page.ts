/** The debug page for a failed handler (`Use TsDebug On`): HTML for browsers, JSON for programs. */
import { isModTsError } from "../base/errors.ts";
import type { HandlerModule } from "./handler.ts";
import { escapeHtml, htmlPage, htmlTable } from "../base/html.ts";
import { type SourceFrame, sourceFrame } from "../loader/stack.ts";
import { errorDetails, stackOf, textOf } from "../base/log.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";

interface Failure {
  code: string;
  message: string;
  /** Messages along `cause`, innermost last. */
  causes: string[];
  /** Own properties of these errors, and errors of an `AggregateError`. */
  details: string[];
  stack: string[];
  phase: string;
  handler: string;
  /** Builds of the modules of this request, as `file #generation`. */
  generations: string[];
  frame: SourceFrame | undefined;
}

/** Of Node, about an import whose error is a cause with the importer and advice. */
const rephrased = /^Cannot find (?:package|module) .* imported from .*\/\[mod_ts\]$/;

/** HTML; everything from outside is escaped. */
export function debugPage(
  error: unknown,
  req: ApacheRequest,
  held: readonly HandlerModule[],
): string {
  const failure = describe(error, req, held);
  const [first = "", ...rest] = statementsOf(failure);
  const facts: [string, unknown][] = [
    ["Phase", failure.phase],
    ["Handler", failure.handler],
    ["Generation", failure.generations.join(", ") || "none loaded"],
    ["Request", req.theRequest],
    ["Code", failure.code],
    ["Reference", req.uniqueId],
  ];
  const stack = failure.stack.map((line) => shorten(line, 300)).join("\n");
  const hasCalls = failure.stack.some((line) => /^\s+at /.test(line));
  return htmlPage(
    shorten(first, 100),
    [
      ...rest.slice(-1).map((text) => `<p class=kicker>${escapeHtml(text)}</p>`),
      `<h1>${escapeHtml(first)}</h1>`,
      ...rest.slice(0, -1).map((text) => `<p>${escapeHtml(text)}</p>`),
      ...failure.details.map((line) => `<p><code>${escapeHtml(line)}</code></p>`),
      failure.frame ? formatFrame(failure.frame) : "",
      htmlTable(facts),
      hasCalls ? `<h2>Stack</h2>\n<pre>${escapeHtml(stack)}</pre>` : "",
      `<p class=soft>You see this page because this location has <code>Use TsDebug On</code>.</p>`,
    ].join("\n"),
  );
}

/** Apache drops pages of guards that exceed 8 KB. The log has the whole text. */
function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** The messages, innermost first, each without what an inner one or the source below it says. */
function statementsOf({ message, causes, frame }: Failure): string[] {
  const place = frame ? ` (${frame.file}:${frame.line}:${frame.column})` : "";
  const outerFirst = [message, ...causes].map((text) => text.replace(place, ""));
  return outerFirst
    .map((text, index) => {
      const inner = outerFirst[index + 1];
      const isRepeated = inner !== undefined && inner !== "" && text.endsWith(inner);
      return isRepeated ? text.slice(0, -inner.length).replace(/: $/, "") : text;
    })
    .filter((text) => text !== "")
    .map((text) => shorten(text, 1_000))
    .toReversed();
}

/** JSON, for `Accept: application/json`. */
export function debugJson(
  error: unknown,
  req: ApacheRequest,
  held: readonly HandlerModule[],
): string {
  return `${JSON.stringify({ error: { ...describe(error, req, held), uniqueId: req.uniqueId } }, null, 2)}\n`;
}

function describe(error: unknown, req: ApacheRequest, held: readonly HandlerModule[]): Failure {
  const chain = causeChain(error).filter((each) => !rephrased.test(textOf(each)));
  const deepest = chain.at(-1);
  const entry = req[internals].handlerEntry;
  return {
    code: isModTsError(error) ? error.code : "MODTS_HANDLER_FAILED",
    message: textOf(error),
    causes: chain.slice(1).map(textOf),
    details: chain.flatMap(errorDetails),
    stack: (deepest instanceof Error ? stackOf(deepest) : textOf(deepest)).split("\n"),
    phase: entry?.phase ?? "none",
    handler: entry?.handler ?? "none",
    // Built-in handlers have none.
    generations: held.flatMap(({ file, generation }) =>
      generation > 0 ? [`${file} #${generation}`] : [],
    ),
    frame: chain.map(sourceFrame).findLast((frame) => frame !== undefined),
  };
}

/** The error and its causes; bounded, as causes may be circular. */
function causeChain(error: unknown): unknown[] {
  const chain = [error];
  while (chain.length < 10) {
    const last = chain.at(-1);
    if (!(last instanceof Error) || last.cause === undefined) break;
    chain.push(last.cause);
  }
  return chain;
}

function formatFrame({ file, line, column, text }: SourceFrame): string {
  const width = String(text.at(-1)?.line ?? 0).length;
  const lines = text.map((row) => {
    const number = String(row.line).padStart(width);
    const code = `${number}  ${escapeHtml(shorten(row.text, 300))}`;
    return row.hit ? `<span class=hit>${code}</span>` : code;
  });
  const place = `${file}:${line}:${column}`;
  const link = `<a href="vscode://file${escapeHtml(encodeURI(place))}">${escapeHtml(place)}</a>`;
  return `<p class=soft>${link}</p>\n<pre>${lines.join("\n")}</pre>`;
}
