/** Connections to the authorizer or the decider, and the limits on those that may not be Apache's. */
import type { Socket } from "node:net";
import { log } from "./log.ts";

/** Bytes that all of them together may make this process hold; one that holds no less than the others is closed for more. */
const maxBytes = 16 * 1024 ** 2;

interface Entry {
  bytes: number;
  readonly timer: NodeJS.Timeout | undefined;
}

/**
 * Attack: any local user can connect. A thousand connections that never complete a question, each
 * with as many parameters as it may hold, would take the memory and the places that Apache's
 * questions need. So what all of them hold is bounded, and those that have waited longest, or hold
 * most, make room: a question of Apache's is complete within milliseconds.
 */
export class QuestionConnections {
  readonly #name: string;
  readonly #connections: number;
  readonly #timeout: number | undefined;
  readonly #open = new Set<Socket>();
  /** Those whose peer has not proven yet that it is Apache, oldest first. */
  readonly #unproven = new Map<Socket, Entry>();
  readonly #reports = new Throttle();
  #bytes = 0;
  #drained: (() => void) | undefined;

  /**
   * @param name of the transport, for the log
   * @param connections at a time; the oldest is closed for one more
   * @param timeout milliseconds for a question to arrive; default: the transport sees to it
   */
  constructor(name: string, connections: number, timeout?: number) {
    this.#name = name;
    this.#connections = connections;
    this.#timeout = timeout;
  }

  /** Takes a connection in, as the newest of the unproven. */
  add(socket: Socket): void {
    this.#open.add(socket);
    this.doubt(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      this.#forget(socket);
      this.#open.delete(socket);
      if (this.#open.size === 0) this.#drained?.();
    });
  }

  /** The peer is Apache: no bound of these applies to it. */
  prove(socket: Socket): void {
    this.#forget(socket);
  }

  #forget(socket: Socket): void {
    const entry = this.#unproven.get(socket);
    if (!entry) return;
    clearTimeout(entry.timer);
    this.#bytes -= entry.bytes;
    this.#unproven.delete(socket);
  }

  /** Until its next question, the connection is an unproven one again. */
  doubt(socket: Socket): void {
    this.#forget(socket);
    const limit = this.#timeout;
    const timer = limit === undefined ? limit : setTimeout(() => socket.destroy(), limit);
    this.#unproven.set(socket, { bytes: 0, timer });
    if (this.#unproven.size <= this.#connections) return;
    const [oldest] = this.#unproven.keys();
    this.#drop(oldest!);
  }

  /** Says how many bytes of a question that is not complete are kept for a connection. */
  hold(socket: Socket, bytes: number): void {
    const entry = this.#unproven.get(socket);
    if (!entry) return;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    while (this.#bytes > maxBytes) this.#drop(this.#heavy());
  }

  /** Resolves when every connection has ended. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#open.size === 0) resolve();
    });
  }

  /** The first that holds no less than the average; in a flood it is the oldest, found at once. */
  #heavy(): Socket {
    const average = this.#bytes / this.#unproven.size;
    for (const [socket, { bytes }] of this.#unproven) if (bytes >= average) return socket;
    throw new RangeError("the average is more than any");
  }

  #drop(socket: Socket): void {
    this.#forget(socket);
    socket.destroy();
    const reason = `more than ${this.#connections}, or more than ${maxBytes} bytes`;
    this.#reports.run(() =>
      log("warn", `${this.#name}: connections without a question are closed: ${reason}`),
    );
  }
}

/** Runs at most one action a second: a flood of connections must not be a flood of lines. */
export class Throttle {
  #next = 0;

  run(action: () => void): void {
    const now = performance.now();
    if (now < this.#next) return;
    this.#next = now + 1000;
    action();
  }
}
