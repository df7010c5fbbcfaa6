/**
 * `application/x-www-form-urlencoded`, by the rules of the URL standard, section 5.1; also in other charsets than UTF-8.
 * @module
 */
import type { FormEntries } from "./form-entries.ts";

type Decoder = InstanceType<typeof TextDecoder>;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Adds the fields of a query string or a body, in the order sent. A `%` without two digits stays as it is.
 *
 * Attack: 8 MiB of `a&a&`. `URLSearchParams` makes a list of all fields first, in much more than linear time, and holds up the
 * process for minutes. So field by field, and the limit on their number ends it.
 */
export function addUrlencoded(bytes: Buffer, entries: FormEntries, decoder: Decoder = utf8): void {
  const text = bytes.toString("latin1");
  for (let at = 0; at < text.length;) {
    const found = text.indexOf("&", at);
    const end = found < 0 ? text.length : found;
    if (end > at) addPair(text.slice(at, end), entries, decoder);
    at = end + 1;
  }
}

function addPair(pair: string, entries: FormEntries, decoder: Decoder): void {
  const at = pair.indexOf("=");
  const [name, value] = at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
  entries.add(decode(name, decoder), decode(value, decoder));
}

/** Escapes stand for bytes of the charset, and so does each character here. */
function decode(text: string, decoder: Decoder): string {
  if (decoder === utf8 && !/[%+\x80-\xff]/.test(text)) return text;
  const plain = text
    .replaceAll("+", " ")
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return decoder.decode(Buffer.from(plain, "latin1"));
}
