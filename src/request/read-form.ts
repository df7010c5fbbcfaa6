/**
 * From a request to its form: the query string, then the body as its `Content-Type` says.
 * @module
 */
import { HttpError } from "../http-error.ts";
import { type BodyReader, parseJsonBody } from "./body.ts";
import { ByteCollector } from "./byte-collector.ts";
import { Form, type FormValue } from "./form.ts";
import type { FormLimits } from "./form-limits.ts";
import { FormEntries, quote } from "./form-entries.ts";
import type { OnFile } from "./file-sink.ts";
import { readMultipart } from "./multipart.ts";
import type { TemporaryFiles } from "./temporary-files.ts";
import { addUrlencoded } from "./urlencoded.ts";

/** What `req.form()` may be told. Limits replace those of the configuration. */
export interface FormOptions extends Partial<FormLimits> {
  /**
   * Takes the bytes of a file as they come, in place of a temporary file: reads them, or gives a `Writable` for them. What is left
   * unread when it is done is skipped; what it throws, `form()` rejects with.
   */
  readonly onFile?: OnFile;
}

/** What a form is read from. */
export interface FormSource {
  /** Query string without `?`; null when there is none. */
  readonly args: string | null;
  /** Value of `Content-Type`; undefined when there is none. */
  readonly contentType: string | undefined;
  /** Whether the request says the length of its body. */
  readonly hasLength: boolean;
  readonly body: BodyReader;
  readonly files: () => TemporaryFiles;
}

/** Reads the form. Rejects with `HttpError` 400, 411, 413 or 415, whose text says why. */
export async function readForm(
  source: FormSource,
  limits: FormLimits,
  onFile?: OnFile,
): Promise<Form> {
  const entries = new FormEntries(limits);
  if (source.args) addUrlencoded(Buffer.from(source.args), entries);
  if (source.body.announced) await readBody(source, { entries, limits, onFile });
  return new Form(entries.list);
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
  const type = contentType.split(";")[0]?.trim().toLowerCase();
  if (type === "multipart/form-data") {
    return readMultipart(body, contentType, { entries, limits, files, onFile });
  }
  if (type === "application/x-www-form-urlencoded") {
    // Before the body is read: a charset that nobody knows leaves it to others, as does an unknown type.
    const decoder = decoderOf(contentType);
    return addUrlencoded(await readLimited(body, limits.memoryBytes), entries, decoder);
  }
  if (type === "application/json") {
    return addJson((await readLimited(body, limits.memoryBytes)).toString(), entries);
  }
  const sent = type ? quote(type) : "nothing named by Content-Type";
  throw new HttpError(415, {
    body: `A form is sent as application/x-www-form-urlencoded, multipart/form-data or application/json, not as ${sent}.\n`,
  });
}

/** Attack: a body that never ends fills the memory; so it is counted before it is kept. */
async function readLimited(body: BodyReader, limit: number): Promise<Buffer> {
  const parts = new ByteCollector();
  let size = 0;
  for (;;) {
    const part = await body.next("req.form()");
    if (!part) return parts.whole();
    size += part.length;
    if (size > limit) {
      throw new HttpError(413, { body: `A form may have ${limit} bytes without its files.\n` });
    }
    parts.add(part);
  }
}

/** The members of an object, one level deep; anything deeper is for `req.json()`. */
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
