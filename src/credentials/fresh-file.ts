/**
 * A file that is read again when it has changed: nobody restarts a server to add a user.
 * @module
 */
import { readFileSync, statSync } from "node:fs";
import { ModTsError } from "../errors.ts";

/**
 * Milliseconds for which the times of a file say little: two saves within one tick of the file system's clock (up to 10 ms) leave
 * the same signature.
 */
const restless = 50;

/** What is made of a file's text, renewed when the file changes. */
export class FreshFile<T> {
  readonly path: string;
  readonly #parse: (text: string) => T;
  #signature = "";
  #value: T | undefined;

  /** @param parse is called once for each version of the file; what it throws, {@link get} throws */
  constructor(path: string, parse: (text: string) => T) {
    this.path = path;
    this.#parse = parse;
  }

  /**
   * What the file says now. A file that is gone says nothing: an older version of it must let nobody in.
   * @throws ModTsError `MODTS_USERS_UNREADABLE`
   */
  get(): T {
    try {
      const signature = signatureOf(this.path);
      if (signature !== "" && signature === this.#signature) return this.#value as T;
      this.#signature = "";
      this.#value = this.#parse(readFileSync(this.path, "utf8"));
      this.#signature = signature;
      return this.#value;
    } catch (cause) {
      if (cause instanceof ModTsError) throw cause;
      const reason = (cause as Error).message;
      throw new ModTsError("MODTS_USERS_UNREADABLE", { file: this.path, reason });
    }
  }
}

/** What changes with every save; empty while the file may change within the same tick. */
function signatureOf(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = statSync(path, { bigint: true });
  if (Math.abs(Date.now() - Number(ctimeMs)) < restless) return "";
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}
