/**
 * What a developer sees with `Use TsDebug On` when a handler fails: for a browser a page, for a program JSON.
 * @module
 */
import { isModTsError } from "./errors.ts";
import type { HandlerModule } from "./handler.ts";
import { escapeHtml, htmlPage, htmlTable } from "./html.ts";
import { type SourceFrame, sourceFrame } from "./loader/stack.ts";
import { textOf } from "./log.ts";
import { type ApacheRequest, internals } from "./request/request.ts";

/** The facts that both forms show. */
interface Failure {
  code: string;
  message: string;
  /** Why, innermost last: the messages along `cause`. */
  causes: string[];
  stack: string[];
  phase: string;
  handler: string;
  /** Builds of the modules that this request ran, as `file #generation`. */
  generations: string[];
  frame: SourceFrame | undefined;
}

/** The page for a browser. Everything that comes from outside is escaped. */
export function debugPage(
  error: unknown,
  req: ApacheRequest,
  held: readonly HandlerModule[],
): string {
  const failure = describe(error, req, held);
  const [first = failure.message, ...rest] = failure.causes.toReversed();
  const facts: [string, unknown][] = [
    ["Phase", failure.phase],
    ["Handler", failure.handler],
    ["Generation", failure.generations.join(", ") || "none loaded"],
    ["Request", req.theRequest],
    ["Code", failure.code],
    ["Reference", req.uniqueId],
  ];
  return htmlPage(
    first,
    [
      `<p class=kicker>${escapeHtml(failure.message)}</p>`,
      `<h1>${escapeHtml(first)}</h1>`,
      ...rest.map((message) => `<p>${escapeHtml(message)}</p>`),
      failure.frame ? formatFrame(failure.frame) : "",
      htmlTable(facts),
      `<h2>Stack</h2>\n<pre>${escapeHtml(failure.stack.join("\n"))}</pre>`,
      `<p class=soft>You see this page because this location has <code>Use TsDebug On</code>.</p>`,
    ].join("\n"),
  );
}

/** The same facts for `Accept: application/json`. */
export function debugJson(
  error: unknown,
  req: ApacheRequest,
  held: readonly HandlerModule[],
): string {
  return `${JSON.stringify({ error: { ...describe(error, req, held), uniqueId: req.uniqueId } }, null, 2)}\n`;
}

function describe(error: unknown, req: ApacheRequest, held: readonly HandlerModule[]): Failure {
  const chain = causeChain(error);
  const deepest = chain.at(-1);
  const entry = req[internals].handlerEntry;
  return {
    code: isModTsError(error) ? error.code : "MODTS_HANDLER_FAILED",
    message: textOf(error),
    causes: chain.slice(1).map(textOf),
    stack: stackOf(deepest).split("\n"),
    phase: entry?.phase ?? "none",
    handler: entry?.handler ?? "none",
    generations: held.map(({ file, generation }) => `${file} #${generation}`),
    frame: chain.map(sourceFrame).findLast((frame) => frame !== undefined),
  };
}

/** The error and what it was caused by; bounded, as a cause may point back at itself. */
function causeChain(error: unknown): unknown[] {
  const chain = [error];
  while (chain.length < 10) {
    const last = chain.at(-1);
    if (!(last instanceof Error) || last.cause === undefined) break;
    chain.push(last.cause);
  }
  return chain;
}

function stackOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? (thrown.stack ?? thrown) : textOf(thrown));
  } catch {
    return textOf(thrown);
  }
}

function formatFrame({ file, line, column, text }: SourceFrame): string {
  const width = String(text.at(-1)?.line ?? 0).length;
  const lines = text.map((row) => {
    const number = String(row.line).padStart(width);
    const code = `${number}  ${escapeHtml(row.text)}`;
    return row.hit ? `<span class=hit>${code}</span>` : code;
  });
  return `<p class=soft>${escapeHtml(file)}:${line}:${column}</p>\n<pre>${lines.join("\n")}</pre>`;
}
