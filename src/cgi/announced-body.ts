/**
 * The body of an answer whose script may have said how long it is.
 * @module
 */
import { ModTsError } from "../errors.ts";
import type { ApacheRequest } from "../request/request.ts";

/**
 * A line feed too many, or characters counted in place of bytes, are common: what comes after the announced length is dropped, as every
 * client does it. A body that is shorter is not whole.
 */
export class AnnouncedBody {
  readonly #req: ApacheRequest;
  readonly #announced: number;
  #written = 0;

  /** To be made when the headers are set. */
  constructor(req: ApacheRequest) {
    this.#req = req;
    const isBodiless = req.headerOnly || req.status === 204 || req.status === 304;
    const length = isBodiless ? undefined : req.headersOut.get("Content-Length");
    this.#announced = length === undefined ? Infinity : Number(length);
  }

  /** Adds to the body; resolves when there is room for more. Rejects with `MODTS_CLIENT_GONE`. */
  async write(chunk: Buffer): Promise<void> {
    const room = Math.max(0, this.#announced - this.#written);
    this.#written += chunk.length;
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
    if (part.length > 0 && !this.#req.write(part)) await this.#req.flush();
  }

  /** Throws `MODTS_LENGTH_MISMATCH` when there was less than announced; logs it when there was more. */
  requireWhole(): void {
    const announced = this.#announced;
    if (announced === Infinity || announced === this.#written) return;
    const error = new ModTsError("MODTS_LENGTH_MISMATCH", { announced, actual: this.#written });
    if (this.#written < announced) throw error;
    this.#req.logError(error.message, "warn");
  }
}
