/** Forms: the fields of the query string and of the body, by its `Content-Type`. */
import { HttpError } from "../../base/http-error.ts";
import { internals, type RequestInternals } from "../internals.ts";
import type { RequestFacts } from "../request-facts.ts";
import { bodyOf, type BodyReader, parseJsonBody } from "./body.ts";
import { Form, FormEntries, type FormValue, quote } from "./form.ts";
import { changeLimits, type FormLimits, formLimits } from "./form-limits.ts";
import type { OnFile } from "./upload.ts";
import { readMultipart } from "./multipart.ts";
import { TemporaryFiles } from "./temporary-files.ts";
import { addUrlencoded } from "./urlencoded.ts";

/** Options of `req.form()`. Limits replace the configured ones. */
export interface FormOptions extends Partial<FormLimits> {
  /**
   * Receives files as they arrive, instead of temporary files: reads them, or returns a `Writable`.
   * The unread rest is skipped; errors reject `form()`.
   */
  readonly onFile?: OnFile;
}

interface FormSource {
  readonly contentType: string | undefined;
  readonly hasLength: boolean;
  readonly body: BodyReader;
  readonly files: () => TemporaryFiles;
}

/** Rejects with `HttpError` 400, 411, 413 or 415, whose text is the reason. */
export async function readForm(
  req: RequestFacts & { readonly [internals]: RequestInternals },
  { onFile, ...changes }: FormOptions,
): Promise<Form> {
  const { args, headersIn } = req;
  const state = req[internals];
  const limits = changeLimits(formLimits(req.getOptions()), changes);
  const entries = new FormEntries(limits);
  if (args) addUrlencoded(Buffer.from(args), entries);
  if (!state.exchange.hasBody) return new Form(entries.list);
  let files: TemporaryFiles | undefined;
  const source = {
    contentType: headersIn.get("content-type"),
    hasLength: headersIn.has("content-length"),
    body: bodyOf(state),
    files: () => (files ??= temporaryFiles(state)),
  };
  await readBody(source, { entries, limits, onFile });
  return new Form(entries.list);
}

function temporaryFiles(state: RequestInternals): TemporaryFiles {
  const files = new TemporaryFiles(state.toolkit?.temporary);
  // After a timeout of the handler it is too late for a cleanup.
  if (state.isOver) void files.remove();
  else state.cleanups.push(() => files.remove());
  return files;
}

interface Reading {
  readonly entries: FormEntries;
  readonly limits: FormLimits;
  readonly onFile: OnFile | undefined;
}

async function readBody(source: FormSource, reading: Reading): Promise<void> {
  const { contentType = "", hasLength, body, files } = source;
  const { entries, limits, onFile } = reading;
  if (limits.requireLength && !hasLength) {
    throw new HttpError(411, { body: "A form must say its length: send Content-Length.\n" });
  }
  const tooMuch = `A form may have ${limits.memoryBytes} bytes without its files.\n`;
  const whole = (): Promise<Buffer> => body.whole("req.form()", limits.memoryBytes, tooMuch);
  const type = contentType.split(";")[0]?.trim().toLowerCase();
  if (type === "multipart/form-data") {
    return readMultipart(body, contentType, { entries, limits, files, onFile });
  }
  if (type === "application/x-www-form-urlencoded") {
    // Before reading: the handler can still read a body of unknown charset or type itself.
    const decoder = decoderOf(contentType);
    return addUrlencoded(await whole(), entries, decoder);
  }
  if (type === "application/json") {
    return addJson((await whole()).toString(), entries);
  }
  const sent = type ? quote(type) : "nothing named by Content-Type";
  throw new HttpError(415, {
    body: `A form is sent as application/x-www-form-urlencoded, multipart/form-data or application/json, not as ${sent}.\n`,
  });
}

/** The members of an object, one level deep; `req.json()` is for anything deeper. */
function addJson(text: string, entries: FormEntries): void {
  const value = parseJsonBody(text.replace(/^\ufeff/, ""));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, { body: "A form in JSON is an object of names and values.\n" });
  }
  for (const [name, member] of Object.entries(value)) {
    for (const one of Array.isArray(member) ? member : [member]) {
      if (one !== null) entries.add(name, scalarText(name, one));
    }
  }
}

function scalarText(name: string, value: unknown): FormValue & string {
  if (typeof value !== "object") return String(value);
  throw new HttpError(400, {
    body: `Field ${quote(name)}: a form in JSON holds text, numbers, booleans and lists of them.\n`,
  });
}

function decoderOf(contentType: string): InstanceType<typeof TextDecoder> | undefined {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1] ?? "utf-8";
  if (/^utf-?8$/i.test(charset)) return undefined;
  try {
    return new TextDecoder(charset);
  } catch (cause) {
    const body = `The charset ${quote(charset)} is not known.\n`;
    throw new HttpError(415, { body, cause });
  }
}
