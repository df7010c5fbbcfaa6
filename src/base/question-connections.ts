/** Connections to the authorizer or the decider, and the limits on those that may not be Apache's. */
import type { Socket } from "node:net";
import { log } from "./log.ts";

/** Bytes of incomplete questions in this process; beyond it, a connection that holds many is closed. */
const maxBytes = 16 * 1024 ** 2;

/** Options of authorizer and decider. */
export interface QuestionOptions {
  /** Name of the pool that this process serves. */
  interpreter: string;
  /** Name of the sidecar where Apache has several. @default none */
  sidecar?: string;
  /** Shared with Apache; empty: the address or the permissions of the socket decide. */
  secret: string;
  /** Milliseconds for a question to arrive, and then for its decision. @default 5_000 */
  budget?: number;
  /** Connections at a time that no question of Apache's has come on. @default 1_024 */
  connections?: number;
}

interface Connection {
  /** Of an incomplete question. */
  bytes: number;
  readonly timer: NodeJS.Timeout;
  /** Runs when the time is over. */
  expire: () => void;
}

/**
 * Attack: any local user can connect. A thousand connections that never complete a question, each
 * with as many parameters as it may hold, would take the memory and the places that Apache's
 * questions need. So the total is limited, and connections that have waited longest, or hold most,
 * are closed first: a question of Apache's is complete within milliseconds.
 */
export class QuestionConnections {
  readonly #name: string;
  readonly #connections: number;
  /** Milliseconds, see {@link QuestionOptions}. */
  readonly budget: number;
  readonly #open = new Map<Socket, Connection>();
  /** Those whose peer has not proven yet that it is Apache, oldest first. */
  readonly #unproven = new Set<Socket>();
  readonly #reports = new Throttle();
  #bytes = 0;
  #drained: (() => void) | undefined;

  /**
   * @param name of the transport, for the log
   */
  constructor(
    name: string,
    { connections = 1024, budget = 5_000 }: Pick<QuestionOptions, "connections" | "budget">,
  ) {
    this.#name = name;
    this.#connections = connections;
    this.budget = budget;
  }

  /** Takes a connection in, as the newest of the unproven. */
  add(socket: Socket): void {
    const expire = (): void => void socket.destroy();
    const connection = {
      bytes: 0,
      expire,
      timer: setTimeout(() => connection.expire(), this.budget),
    };
    this.#open.set(socket, connection);
    this.#doubt(socket);
    socket.on("error", expire);
    socket.once("close", () => {
      clearTimeout(connection.timer);
      this.#release(socket, connection);
      this.#open.delete(socket);
      if (this.#open.size === 0) this.#drained?.();
    });
  }

  /**
   * The question is complete and the peer is Apache: these limits no longer apply.
   * @param late runs when there is no decision in time
   */
  prove(socket: Socket, late: () => void): void {
    this.#restart(socket, late);
  }

  /** The question has its answer. Until the next one, the connection is an unproven one again. */
  answered(socket: Socket): void {
    if (!this.#open.has(socket)) return;
    this.#restart(socket, () => void socket.destroy());
    this.#doubt(socket);
  }

  #restart(socket: Socket, expire: () => void): void {
    const connection = this.#open.get(socket);
    if (!connection) return;
    this.#release(socket, connection);
    connection.expire = expire;
    connection.timer.refresh();
  }

  #doubt(socket: Socket): void {
    this.#unproven.add(socket);
    if (this.#unproven.size <= this.#connections) return;
    const [oldest] = this.#unproven;
    this.#drop(oldest!);
  }

  #release(socket: Socket, connection: Connection): void {
    this.#bytes -= connection.bytes;
    connection.bytes = 0;
    this.#unproven.delete(socket);
  }

  /** Sets the bytes that a connection holds of an incomplete question. */
  hold(socket: Socket, bytes: number): void {
    const connection = this.#open.get(socket);
    if (!connection || !this.#unproven.has(socket)) return;
    this.#bytes += bytes - connection.bytes;
    connection.bytes = bytes;
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
    for (const socket of this.#unproven) {
      if ((this.#open.get(socket)?.bytes ?? 0) >= average) return socket;
    }
    throw new RangeError("the average is more than any");
  }

  #drop(socket: Socket): void {
    this.#release(socket, this.#open.get(socket)!);
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
