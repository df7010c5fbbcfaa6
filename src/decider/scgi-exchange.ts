/** The response of a handler in place of the content, as a CGI response on the connection. */
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { ModTsError } from "../base/errors.ts";
import { whenDrained } from "../engine/connection.ts";
import type { Exchange } from "../request/exchange.ts";
import { formatCgiHead } from "../request/headers.ts";

/** Headers that speak of this connection or are commands to Apache. */
const ownHeaders =
  /^(?:connection|keep-alive|date|transfer-encoding|content-length|trailer|upgrade|status|server|mod-ts-.*)$/i;

export class ScgiExchange implements Exchange {
  readonly #socket: Socket;
  /** Created when a handler asks for it: most decide at once. */
  #controller: AbortController | undefined;
  #begun = false;
  #ended = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once("close", () => {
      if (this.#ended) return;
      this.#ended = true;
      this.#controller?.abort();
    });
  }

  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal;
    this.#controller = new AbortController();
    if (this.#ended) this.#controller.abort();
    return this.#controller.signal;
  }
  /** What follows the redirect has no body, so none is read here. */
  get hasBody(): boolean {
    return false;
  }
  body(): Readable {
    throw new ModTsError("MODTS_NO_BODY");
  }
  get goesOn(): boolean {
    return true;
  }
  get begun(): boolean {
    return this.#begun;
  }
  get ended(): boolean {
    return this.#ended;
  }
  begin(status: number, reason: string | undefined, headers: string[]): void {
    const head = formatCgiHead(status, endToEnd(headers), reason);
    this.#begun = true;
    this.#socket.write(head);
  }
  write(chunk: Uint8Array | string, left?: () => void): boolean {
    if (this.#ended) return true;
    return this.#socket.write(chunk, left && ((error) => error ?? left()));
  }
  drain(): Promise<void> {
    const socket = this.#socket;
    const isFull = socket.writableNeedDrain && !socket.destroyed;
    return isFull ? whenDrained(socket) : Promise.resolve();
  }
  end(chunk?: Uint8Array | string, encoding: "utf8" | "latin1" = "utf8"): void {
    if (this.#ended) return;
    this.#ended = true;
    if (chunk === undefined) this.#socket.end();
    else if (typeof chunk === "string") this.#socket.end(chunk, encoding);
    else this.#socket.end(chunk);
    // Apache sends no more; its own end would be one more turn of the event loop.
    this.#socket.destroySoon();
  }
  abort(): void {
    this.#socket.destroy();
  }
}

/** Headers of a handler that may reach the client; names and values alternate. */
export function endToEnd(headers: readonly string[]): string[] {
  return headers.filter((_, index) => !ownHeaders.test(headers[index & ~1] as string));
}
