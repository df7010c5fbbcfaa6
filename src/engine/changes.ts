/** What the handlers of a request have changed, as fields of a decision or of a callback. */
import { hash } from "node:crypto";
import { ModTsError, report } from "../base/errors.ts";
import { HeaderTable, spellings } from "../request/headers.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Variables and headers that `TsAcceptEnv` and `TsAcceptHeader` have not named; each is logged once. */
const reported = new Set<string>();

/**
 * `type`, `handler`, `user`, `env.NAME`, `in.Name`; an empty `in.Name` is a header that was removed.
 * @param accepted names of the fields `env.NAME` and `in.Name` that the section accepts
 * @param sendsHeaders whether other headers reach Apache, too
 * @throws ModTsError `MODTS_BAD_HEADER` for a handler, type or user that cannot be passed on
 */
export function changesOf(
  req: ApacheRequest,
  accepted: ReadonlySet<string>,
  sendsHeaders = false,
): Map<string, string> {
  const { context, response } = req[internals];
  const fields = new Map<string, string>();
  const set = (name: string, value: string | null | undefined, form: RegExp): void => {
    if (value === null || value === undefined || value === "") return;
    if (!form.test(value)) throw bad(name, value);
    fields.set(name, value);
  };
  set("type", response.contentType, printable);
  set("handler", req.handler, /^(?:[\w./+-]+|proxy:[\x21-\x7e]+)$/);
  if (req.user !== (context.user || null)) set("user", req.user, printable);
  for (const [name, value] of changedVariables(req)) set(name, value, printable);
  for (const [name, value] of changedHeaders(req)) {
    if (value === "") fields.set(name, value);
    else set(name, value, printable);
  }
  for (const name of fields.keys()) {
    if (!/^(?:env|in)\./.test(name) || accepted.has(name.toLowerCase())) continue;
    fields.delete(name);
    if (!sendsHeaders || name.startsWith("env.")) reportOnce(name);
  }
  return fields;
}

/** `name=value` for each field, as Apache's expressions read it. */
export function formatFields(fields: Iterable<readonly [string, string]>): string[] {
  return [...fields].map(([name, value]) => `${name}=${Buffer.from(value).toString("base64")}`);
}

/**
 * Digests of lines of `TsDecide`, as `sha1()` of an expression. Attack: base64 of a client's choice looks
 * like a digest, but contains no comma.
 */
export function formatDigests(digests: readonly string[]): string {
  return digests.length === 0 ? "" : `,${digests.join(",")},`;
}

/** Of a line of `TsDecide`. */
export function digest(line: string): string {
  return hash("sha1", line);
}

/** The same with a path, in each spelling that Apache may have. */
export function digestsOf(line: string, path: string): string[] {
  return spellings(path).map((bytes) =>
    hash("sha1", Buffer.concat([Buffer.from(`${line} `), bytes])),
  );
}

const printable = /^[^\x00-\x1f\x7f]*$/;

function* changedVariables(req: ApacheRequest): Iterable<[string, string]> {
  const { environment } = req[internals].context;
  for (const [name, value] of req.subprocessEnv.entries()) {
    if (environment[name] !== value) yield [`env.${name}`, value];
  }
}

function* changedHeaders(req: ApacheRequest): Iterable<[string, string]> {
  const { rawHeaders } = req[internals].context;
  const raw = req.headersIn.raw();
  if (raw.length === rawHeaders.length && raw.every((text, at) => text === rawHeaders[at])) return;
  const before = HeaderTable.fromRaw(rawHeaders);
  // Each in the spelling of the handler. Attack: a header that a handler removes is the client's.
  const names = new Map(
    [...before.keys(), ...req.headersIn.keys()].map((name) => [name.toLowerCase(), name]),
  );
  for (const name of names.values()) {
    const value = req.headersIn.getAll(name).join(", ");
    if (value !== before.getAll(name).join(", ")) yield [`in.${name}`, value];
  }
}

function reportOnce(field: string): void {
  if (reported.has(field)) return;
  reported.add(field);
  const [kind, name = ""] = field.split(/\.(.*)/s);
  const macro = kind === "env" ? "TsAcceptEnv" : "TsAcceptHeader";
  report(new ModTsError("MODTS_NOT_ACCEPTED", { name, macro }));
}

function bad(name: string, value: string): ModTsError {
  const reason = `Apache cannot take ${JSON.stringify(value.slice(0, 40))}`;
  return new ModTsError("MODTS_BAD_HEADER", { name, reason });
}
