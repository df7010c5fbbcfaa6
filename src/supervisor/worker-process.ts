/** A worker in the view of the supervisor: a child process, and the messages between the two. */
import { fork, type ChildProcess, type StdioOptions } from "node:child_process";
import { createInterface } from "node:readline";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { BrokenModule } from "../base/version-store.ts";
import { queueLength, type SharedHandle } from "./listener.ts";
import type { WorkerReport } from "./report.ts";
import { Silence } from "./silence.ts";
import { startProcess } from "./start-process.ts";
import type { WorkerStatus } from "./status.ts";
import { watchdogDescriptor, type WatchdogReport } from "./watchdog.ts";

/**
 * Messages to a worker. `Config` is plain data that the supervisor does not read.
 *
 * A worker must exit on the IPC event `disconnect`, the only sign that the supervisor died. It must
 * ignore SIGINT, SIGTERM and SIGHUP, which a terminal and systemd send to every process of the
 * group: the supervisor sends `drain`.
 */
export type ToWorker<Config = unknown> =
  | InitMessage<Config>
  | ConnectionMessage
  | ListenMessage
  | DrainMessage
  /** The log file was renamed. */
  | { type: "reopenLog" };

/** First message, sent once; the reply is `ready` or `failed`. */
export interface InitMessage<Config = unknown> {
  type: "init";
  config: Config;
  pool: string;
  /** Number of the worker in its pool, from 1; its replacement gets the same. */
  slot: number;
  generation: number;
  /** Lets a debugger attach to the worker. @default none can */
  inspect?: { port: number; waits: boolean } | undefined;
  /** Whether to load what the workers before have loaded, and to say what is broken. */
  verifies?: boolean;
}

/**
 * A new connection; its unread `net.Socket` is the second argument of the `message` event.
 * Reply `accepted` in the same tick, before reading; then `server.emit("connection", socket)` and
 * `socket.resume()`. Or reply `outdated`, and destroy the socket.
 */
export interface ConnectionMessage {
  type: "connection";
  /** `transport` of the listener, e.g. `gateway`. */
  transport: string;
  /** The worker accepts, outdated or not: no other one could be started. */
  isFinal: boolean;
}

/**
 * A shared socket to accept on, the second argument of the `message` event:
 * `createServer(…).listen(handle, queueLength)`. Close it at `drain`.
 */
export interface ListenMessage {
  type: "listen";
  transport: string;
  queueLength: number;
}

/**
 * No connection follows. Finish running requests with `Connection: close`, then exit with code 0.
 * Keep idle connections for `linger`: Apache may be sending a request, and would respond 502. May
 * be sent again with less time, when the supervisor stops.
 */
export interface DrainMessage {
  type: "drain";
  /** Milliseconds for idle connections; 0 closes them at once. */
  linger: number;
  /** Milliseconds until the worker is killed. */
  deadline: number;
}

/** Messages from a worker. */
export type FromWorker =
  | { type: "ready"; broken?: readonly BrokenModule[] }
  /** Start failed; `message` is logged. The worker exits or is killed. */
  | { type: "failed"; message: string }
  /** Until then the supervisor keeps the connection, for another worker if this one dies. */
  | { type: "accepted" }
  /** In place of `accepted`: a file that only a new process loads again has changed. */
  | { type: "outdated"; file: string }
  /** A connection was closed. Optional: without it connections are dealt out in turn. */
  | { type: "closed" }
  /** Once a second. */
  | { type: "report"; report: WorkerReport };

/** Flags that a worker needs: the loader builds its own module graph on `vm.SourceTextModule`. */
const execArgv = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];

/** The last one is the pipe of the watchdog. */
const stdio: StdioOptions = ["inherit", "inherit", "inherit", "ipc", "pipe"];

export interface WorkerProcessOptions extends Omit<InitMessage, "type"> {
  program: URL;
  /** @default that of this process */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds until `ready`; then the worker is killed. */
  readyTimeout: number;
  /** Milliseconds until a connection is accepted, for a worker that sends other messages. @default 30_000 */
  acceptTimeout?: number;
  /** Called before the worker is killed as it was not ready in time. */
  onLate?: () => void;
  /** Called when the worker can take a connection: ready, or done with the one before. */
  onFree: () => void;
  /** Called with what the worker has counted. */
  onObserved?: (report: WorkerReport) => void;
  /** Called with each report of the watchdog; connections are held back while it is blocked. */
  onReport?: (report: WatchdogReport) => void;
  /** Called with a connection that the worker never accepted. */
  onReturned: (transport: string, socket: Socket) => void;
  /** Called when the worker needs a successor; it gets no connections until {@link serveAnyway}. */
  onOutdated?: (file: string) => void;
}

/** A child process that connections are passed to, one at a time. */
export class WorkerProcess {
  /** Rejects with the reason if the worker ends before it is ready. */
  readonly ready: Promise<void>;
  /** Resolves with the reason in words. Never rejects. */
  readonly exited: Promise<string>;
  /** Connections handed over and not reported closed. */
  connections = 0;
  /** Milliseconds that it had to get ready, if that was not enough. */
  lateMs: number | undefined;
  /** What is broken, if the worker has verified that. */
  broken: readonly BrokenModule[] = [];
  readonly slot: number;
  readonly #options: WorkerProcessOptions;
  readonly #child: ChildProcess;
  readonly #silence: Silence;
  #offered: { transport: string; socket: Socket } | undefined;
  #state: "starting" | "ready" | "draining" | "gone" = "starting";
  #reason: string | undefined;
  #readySince = Infinity;
  #isBlocked = false;
  #isOutdated = false;
  #servesAnyway = false;
  #isAskedToEnd = false;
  #timer: NodeJS.Timeout | undefined;
  #acceptTimer: NodeJS.Timeout | undefined;
  /** Whether its main thread has sent a message since the last offer. */
  #isHeard = false;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.slot = options.slot;
    const { program, environment: env = process.env } = options;
    this.#child = startProcess(() =>
      fork(program, [], { env, execArgv, serialization: "advanced", stdio }),
    );
    this.#silence = new Silence({
      pid: this.pid,
      onExpiring: () => this.#obey({ type: "expiring" }),
      onRecovered: () => this.#obey({ type: "recovered" }),
      onExpired: (reason) => void this.kill(reason),
    });
    this.#readReports();
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    // Not every owner awaits it; `exited` reports the same.
    this.ready.catch(() => {});
    this.exited = this.#watchExit().then((reason) => {
      ready.reject(new Error(reason));
      return reason;
    });
    this.#child.on("message", (message) => this.#receive(message as FromWorker, ready.resolve));
    const { config, pool, slot, generation, inspect, verifies = false, readyTimeout } = options;
    const late = (): void => {
      this.lateMs = readyTimeout;
      options.onLate?.();
      void this.kill(`not ready within ${readyTimeout} ms`);
    };
    // A debugger may stop the worker for any time.
    if (!inspect?.waits) this.#timer = setTimeout(late, readyTimeout);
    this.#send({ type: "init", config, pool, slot, generation, inspect, verifies });
  }

  /** Process id; 0 when the process could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get free(): boolean {
    if (this.#state !== "ready" || this.#isBlocked || this.#isOutdated) return false;
    return this.#offered === undefined && this.#child.connected;
  }

  /** Whether it was asked to finish. */
  get isDraining(): boolean {
    return this.#isAskedToEnd;
  }

  get status(): WorkerStatus | undefined {
    const state = this.#state === "ready" && this.#isBlocked ? "blocked" : this.#state;
    if (state === "gone") return undefined;
    const { pid, connections, age } = this;
    const { generation } = this.#options;
    return { pid, generation, state, connections, age: Math.max(0, age / 1000) };
  }

  /** Milliseconds since `ready`, whatever happens to the clock; negative before. */
  get age(): number {
    return performance.now() - this.#readySince;
  }

  /**
   * Passes a connection on; one at a time, so that a worker that hangs blocks no more than that.
   */
  offer(transport: string, socket: Socket): void {
    this.#offered = { transport, socket };
    this.connections += 1;
    // Our descriptor stays open until `accepted`, for another worker if this one dies.
    this.#send({ type: "connection", transport, isFinal: this.#servesAnyway }, socket);
    this.#expectAccept();
  }

  /** Node.js drops a socket for a process without free file descriptors: it would never be free again. */
  #expectAccept(): void {
    const { acceptTimeout = 30_000, inspect } = this.#options;
    clearTimeout(this.#acceptTimer);
    this.#isHeard = false;
    this.#acceptTimer = setTimeout(() => {
      if (!this.#offered || inspect) return;
      // It may be blocked: this is for the watchdog.
      if (!this.#isHeard) return this.#expectAccept();
      void this.kill(`no connection accepted for ${acceptTimeout} ms: out of file descriptors?`);
    }, acceptTimeout).unref();
  }

  /** Lets an outdated worker serve, as its successor could not be started. */
  serveAnyway(): void {
    this.#isOutdated = false;
    this.#servesAnyway = true;
    this.#options.onFree();
  }

  /** Lets a ready worker accept connections itself. */
  listen(transport: string, handle: SharedHandle): void {
    if (this.#state === "ready")
      this.#send({ type: "listen", transport, queueLength }, handle as unknown as Socket);
  }

  reopenLog(): void {
    if (this.#child.connected) this.#send({ type: "reopenLog" });
  }

  /** Asks the worker to finish; kills it after `deadline` ms. Resolves when it has ended. */
  async drain(linger: number, deadline: number): Promise<void> {
    if (this.#state === "gone") return;
    if (this.#state === "starting") return this.kill("stopped while starting");
    this.#state = "draining";
    this.#isAskedToEnd = true;
    this.#silence.stop();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.kill(`not drained within ${deadline} ms`), deadline);
    this.#send({ type: "drain", linger, deadline });
    await this.exited;
  }

  /** Resolves when the process has ended. */
  async kill(reason: string): Promise<void> {
    this.#reason ??= reason;
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  #receive(message: FromWorker | null | undefined, ready: () => void): void {
    this.#isHeard = true;
    // User code in the worker may call process.send(): other messages are ignored.
    switch (message?.type) {
      case "ready":
        if (this.#state !== "starting") return;
        this.#state = "ready";
        this.broken = message.broken ?? [];
        this.#readySince = performance.now();
        clearTimeout(this.#timer);
        ready();
        return this.#options.onFree();
      case "accepted":
        this.#offered?.socket.destroy();
        this.#offered = undefined;
        return this.#options.onFree();
      case "outdated":
        return this.#giveUp(message.file);
      case "closed":
        this.connections = Math.max(0, this.connections - 1);
        return;
      case "report":
        return this.#options.onObserved?.(message.report);
      case "failed":
        if (this.#state === "starting") void this.kill(String(message.message));
    }
  }

  #giveUp(file: string): void {
    if (this.#state !== "ready" || !this.#offered) return;
    this.#isOutdated = true;
    this.connections = Math.max(0, this.connections - 1);
    this.#options.onOutdated?.(file);
    this.#returnOffered();
  }

  #returnOffered(): void {
    const offered = this.#offered;
    this.#offered = undefined;
    if (offered) this.#options.onReturned(offered.transport, offered.socket);
  }

  #readReports(): void {
    // Null if the process could not be started.
    const pipe = this.#child.stdio?.[watchdogDescriptor] as Readable | null | undefined;
    if (!pipe) return;
    pipe.on("error", () => {});
    createInterface({ input: pipe }).on("line", (line) => this.#hear(line));
  }

  /** User code may write to the pipe, too. */
  #hear(line: string): void {
    if (this.#state === "gone") return;
    // A debugger may stop the worker for any time.
    if (this.#state === "ready" && !this.#options.inspect) this.#silence.hear();
    try {
      this.#obey(JSON.parse(line) as WatchdogReport);
    } catch {
      // Not a report.
    }
  }

  #obey(report: WatchdogReport): void {
    const wasBlocked = this.#isBlocked;
    if (report.type === "blocked" || report.type === "expiring") this.#isBlocked = true;
    if (report.type === "recovered") this.#isBlocked = false;
    this.#options.onReport?.(report);
    if (wasBlocked && !this.#isBlocked) this.#options.onFree();
  }

  #send(message: ToWorker, socket?: Socket): void {
    const failed = (error: Error | null): void => {
      if (error && this.#state !== "gone") void this.#killIfAlive();
    };
    // Without file descriptors for the process, it has no channel; `error` follows.
    (this.#child as Partial<ChildProcess>).send?.(message, socket, { keepOpen: true }, failed);
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
   * Kills an unreachable worker. One that exits by itself is unreachable just before `exit`; its
   * exit code is more useful.
   */
  async #killIfAlive(): Promise<void> {
    const timer = setTimeout(() => this.kill("unreachable"), 1000);
    await this.exited;
    clearTimeout(timer);
  }

  #end(reason: string): string {
    clearTimeout(this.#timer);
    clearTimeout(this.#acceptTimer);
    this.#silence.stop();
    this.#state = "gone";
    this.#returnOffered();
    return reason;
  }
}
