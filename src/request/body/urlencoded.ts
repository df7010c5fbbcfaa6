/** `application/x-www-form-urlencoded` (URL standard, section 5.1), also in other charsets. */
import type { FormEntries } from "./form.ts";

type Decoder = InstanceType<typeof TextDecoder>;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Adds the fields in the order sent. A `%` without two digits is kept.
 *
 * Attack: 8 MiB of `a&a&`. `URLSearchParams` makes a list of all fields first, far from linear
 * time, and blocks the process for minutes. So field by field, up to the limit.
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

/**
 * Escapes are bytes of the charset, and so is each character here.
 *
 * Attack: 8 MiB of `%41`. A callback for each escape takes seconds; so byte by byte, in place.
 */
function decode(text: string, decoder: Decoder): string {
  if (decoder === utf8 && !/[%+\x80-\xff]/.test(text)) return text;
  const bytes = Buffer.from(text, "latin1");
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    let byte = bytes[at] as number;
    if (byte === 0x2b) byte = 0x20;
    else if (byte === 0x25) {
      const value = digitOf(bytes[at + 1]) * 16 + digitOf(bytes[at + 2]);
      if (value >= 0) {
        byte = value;
        at += 2;
      }
    }
    bytes[length] = byte;
    length += 1;
  }
  return decoder.decode(bytes.subarray(0, length));
}

/** The value of a hexadecimal digit; for anything else a number that makes every sum negative. */
function digitOf(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1000;
}
