/**
 * One worker as the supervisor sees it: a child process, and the messages that pass between the two.
 * @module
 */
import { fork, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { SharedHandle } from "./listener.ts";

/**
 * What the supervisor says to a worker. `Config` is plain data that the supervisor passes on unread.
 *
 * A worker must end itself on the IPC event `disconnect`: it is the only sign that the supervisor died, and a worker
 * that outlives it would hold old code, and memory, for ever. It must ignore SIGINT, SIGTERM and SIGHUP: a terminal and
 * systemd send them to every process of the group, and a request would be cut off before `drain` is said.
 */
export type ToWorker<Config = unknown> =
  | InitMessage<Config>
  | ConnectionMessage
  | ListenMessage
  | DrainMessage;

/** First message, once: build everything, then answer `ready` or `failed`. */
export interface InitMessage<Config = unknown> {
  type: "init";
  config: Config;
  /** Name of the pool ("interpreter") that this worker belongs to. */
  pool: string;
  /** Counts the reloads of the supervisor, from 1. */
  generation: number;
}

/**
 * A client has connected; its `net.Socket` comes as the second argument of the `message` event, with nothing read yet.
 * Answer `accepted` at once, in the same tick, before anything is read: then
 * `server.emit("connection", socket)` and `socket.resume()`.
 */
export interface ConnectionMessage {
  type: "connection";
  /** Which protocol to speak: the `door` of the listener, e.g. `gateway`. */
  door: string;
}

/**
 * A socket to accept on comes as the second argument of the `message` event: `createServer(…).listen(handle)`. Other workers
 * accept on it, too. Close it at `drain`.
 */
export interface ListenMessage {
  type: "listen";
  /** Which protocol to speak: the `door` of the listener. */
  door: string;
}

/**
 * No connection comes any more. Finish the requests that run, answer each with `Connection: close`, then exit with code 0.
 * Do not close idle connections before `linger` is over: Apache may be sending a request on one at this very moment,
 * and would answer its client 502. May come a second time with less of both, when the supervisor stops meanwhile.
 */
export interface DrainMessage {
  type: "drain";
  /** Milliseconds for which idle connections are kept; 0 closes them at once. */
  linger: number;
  /** Milliseconds after which the supervisor kills what is left. */
  deadline: number;
}

/** What a worker says to the supervisor. */
export type FromWorker =
  /** Connections may come. */
  | { type: "ready" }
  /** Building failed; `message` is logged. The worker exits, or is killed. */
  | { type: "failed"; message: string }
  /** The worker has the connection. Until then the supervisor keeps a copy of it, to give to another worker should this one die. */
  | { type: "accepted" }
  /** A connection has ended. Optional: without it connections are dealt out in turn, with it to whoever has the fewest. */
  | { type: "closed" };

/** Flags that a worker needs: the loader builds its own module graph on `vm.SourceTextModule`. */
const execArgv = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];

export interface WorkerProcessOptions extends Omit<InitMessage, "type"> {
  /** The program. */
  program: URL;
  /** Milliseconds until `ready` must have come; then the worker is killed. */
  readyTimeout: number;
  /** Called when the worker may be offered a connection: it became ready, or accepted the one before. */
  onFree: () => void;
  /** Called with a connection that the worker never accepted, after its end. */
  onReturned: (door: string, socket: Socket) => void;
}

/** A child process with its hand-over of connections, one at a time. */
export class WorkerProcess {
  /** Resolves when the worker is ready; rejects with the reason when it ends before. */
  readonly ready: Promise<void>;
  /** Resolves with the reason, in words, when the process has ended. Never rejects. */
  readonly exited: Promise<string>;
  /** Connections handed over and not reported closed. */
  connections = 0;
  readonly #options: WorkerProcessOptions;
  readonly #child: ChildProcess;
  #offered: { door: string; socket: Socket } | undefined;
  #state: "starting" | "ready" | "draining" | "gone" = "starting";
  #reason: string | undefined;
  #readySince = Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.#child = fork(options.program, [], { execArgv, serialization: "advanced" });
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    // Not every owner awaits it: the end of a worker is news in `exited` too.
    this.ready.catch(() => {});
    this.exited = this.#watchExit().then((reason) => {
      ready.reject(new Error(reason));
      return reason;
    });
    this.#child.on("message", (message) => this.#receive(message as FromWorker, ready.resolve));
    const { config, pool, generation, readyTimeout } = options;
    this.#timer = setTimeout(() => this.kill(`not ready within ${readyTimeout} ms`), readyTimeout);
    this.#send({ type: "init", config, pool, generation });
  }

  /** Process id; 0 when the process could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether {@link offer} may be called. */
  get free(): boolean {
    return this.#state === "ready" && this.#offered === undefined && this.#child.connected;
  }

  /** Milliseconds since `ready`; negative when it never came. */
  get age(): number {
    return Date.now() - this.#readySince;
  }

  /** Hands a connection over. Only one is on its way at a time, so a worker that hangs holds up no more than that one. */
  offer(door: string, socket: Socket): void {
    this.#offered = { door, socket };
    this.connections += 1;
    // Our copy of the descriptor stays open until `accepted`: it is what another worker gets should this one die.
    this.#send({ type: "connection", door }, socket);
  }

  /** Lets a worker that is ready accept connections itself. */
  listen(door: string, handle: SharedHandle): void {
    if (this.#state === "ready") this.#send({ type: "listen", door }, handle as unknown as Socket);
  }

  /** Asks the worker to finish; kills it after `deadline` milliseconds. Resolves when it is gone. */
  async drain(linger: number, deadline: number): Promise<void> {
    if (this.#state === "gone") return;
    if (this.#state === "starting") return this.kill("stopped while starting");
    this.#state = "draining";
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.kill(`not drained within ${deadline} ms`), deadline);
    this.#send({ type: "drain", linger, deadline });
    await this.exited;
  }

  /** Ends the process at once. Resolves when it is gone. */
  async kill(reason: string): Promise<void> {
    this.#reason ??= reason;
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  #receive(message: FromWorker | null | undefined, ready: () => void): void {
    // User code in the worker may call process.send() as well: what is not ours must not matter.
    switch (message?.type) {
      case "ready":
        if (this.#state !== "starting") return;
        this.#state = "ready";
        this.#readySince = Date.now();
        clearTimeout(this.#timer);
        ready();
        return this.#options.onFree();
      case "accepted":
        this.#offered?.socket.destroy();
        this.#offered = undefined;
        return this.#options.onFree();
      case "closed":
        this.connections = Math.max(0, this.connections - 1);
        return;
      case "failed":
        if (this.#state === "starting") void this.kill(String(message.message));
    }
  }

  #send(message: ToWorker, socket?: Socket): void {
    const failed = (error: Error | null): void => {
      if (error && this.#state !== "gone") void this.#killIfAlive();
    };
    this.#child.send(message, socket, { keepOpen: true }, failed);
  }

  #watchExit(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    // A failed start (no memory, no processes left) emits `error` and no `exit`.
    this.#child.on("error", (error) => {
      if (this.#child.pid === undefined) resolve(this.#end(error.message));
    });
    this.#child.on("exit", (code, signal) => {
      resolve(this.#end(this.#reason ?? (signal ? `signal ${signal}` : `exit code ${code}`)));
    });
    this.#child.on("disconnect", () => {
      if (this.#state !== "draining" && this.#state !== "gone") void this.#killIfAlive();
    });
    return promise;
  }

  /**
   * A worker that cannot be reached is of no use. But one that ends by itself is unreachable a moment before `exit` too, and
   * its own exit code is the better news.
   */
  async #killIfAlive(): Promise<void> {
    const timer = setTimeout(() => this.kill("unreachable"), 1000);
    await this.exited;
    clearTimeout(timer);
  }

  #end(reason: string): string {
    clearTimeout(this.#timer);
    this.#state = "gone";
    const offered = this.#offered;
    this.#offered = undefined;
    if (offered) this.#options.onReturned(offered.door, offered.socket);
    return reason;
  }
}
