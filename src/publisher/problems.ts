/**
 * What is wrong with the fields of a request, told to the client.
 * @module
 */
import { HttpError } from "../http-error.ts";
import type { ApacheRequest } from "../request/request.ts";

/** One mistake. */
export interface Problem {
  /** Name of the parameter, with the way into it, e.g. `tags.1`; empty: all of them together. */
  readonly parameter: string;
  readonly message: string;
}

/** Enough to mend a form; ten thousand bad fields are no reason for a list of ten thousand lines. */
const listLimit = 100;

/** The 400 that lists them, as JSON for a client that accepts `application/json`, else as plain text. */
export function badParameters(req: ApacheRequest, problems: readonly Problem[]): HttpError {
  const shown = problems.slice(0, listLimit);
  const wantsJson = /\bapplication\/json\b/i.test(req.headersIn.get("accept") ?? "");
  // The same address answers in two languages: a cache must tell them apart.
  const headers = { Vary: "Accept", "Content-Type": "text/plain; charset=utf-8" };
  if (!wantsJson) return new HttpError(400, { body: shown.map(lineOf).join(""), headers });
  headers["Content-Type"] = "application/json";
  return new HttpError(400, { body: JSON.stringify({ problems: shown }), headers });
}

function lineOf({ parameter, message }: Problem): string {
  return parameter === "" ? `${message}\n` : `${parameter}: ${message}\n`;
}
