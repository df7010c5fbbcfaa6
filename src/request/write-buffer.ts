/**
 * What was written and has not left yet.
 * @module
 */
import { ModTsError } from "../errors.ts";

/** Text alone is joined, as one string is sent fastest; with the first bytes everything becomes bytes. */
export class WriteBuffer {
  #text = "";
  #chunks: Uint8Array[] | undefined;
  /** Characters and bytes that wait. */
  size = 0;
  /** Whether any of what was ever written was text, which leaves as UTF-8. */
  hadText = false;

  /** Keeps a copy of bytes: the caller may use its buffer again. Throws `MODTS_BAD_ARGUMENT` for anything else. */
  push(data: string | Uint8Array): void {
    if (typeof data === "string") this.#pushText(data);
    else if (data instanceof Uint8Array) this.#pushBytes(Uint8Array.from(data));
    else {
      const reason = "only strings and bytes can be written";
      throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "write", reason });
    }
    this.size += data.length;
  }

  /** Keeps bytes that nobody is going to change. */
  give(bytes: Uint8Array): void {
    this.#pushBytes(bytes);
    this.size += bytes.length;
  }

  /** Everything that waits; the buffer is empty after that. */
  take(): string | Uint8Array {
    const chunks = this.#chunks;
    const text = this.#text;
    this.#chunks = undefined;
    this.#text = "";
    this.size = 0;
    if (!chunks) return text;
    return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  }

  #pushText(text: string): void {
    this.hadText = true;
    if (this.#chunks) this.#chunks.push(Buffer.from(text));
    else this.#text += text;
  }

  #pushBytes(bytes: Uint8Array): void {
    if (!this.#chunks) {
      this.#chunks = this.#text ? [Buffer.from(this.#text)] : [];
      this.#text = "";
    }
    this.#chunks.push(bytes);
  }
}
