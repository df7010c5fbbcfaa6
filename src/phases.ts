/**
 * The engine: takes a request through its phases.
 *
 * ```
 *   init ─ headerparser ─ access ─ authen ─ authz ─ type ─ fixup ─ handler ──> response ──> log ─ cleanup
 *     │          │           │        │        │      │       │        │           ▲
 *     │          │           │        │        │      │       │        ├ OK, DONE ─┤  what was written
 *     │          │           │        │        │      │       │        ├ Response ─┤  a web-standard answer
 *     │          │           │        │        │      │       │        ├ DECLINED ─┤  the plain file, or 404
 *     └──────────┴───────────┴────────┴────────┴──────┴───────┴────────┴ status ───┤  error page, or redirect
 *                           any phase: DONE ends with what was written ────────────┤
 *                           any phase: throw HttpError is an outcome; ─────────────┤
 *                                      any other throw is a 500 and a log line ────┘
 * ```
 *
 * A list of handlers goes on after `OK` and `DECLINED` (`init headerparser access fixup handler log`), or stops at the
 * first `OK` (`authen authz type`). Where mod_python's manual and its code part (`handler`: the code stops at DECLINED),
 * the manual holds. `access`, `authen` and `authz` fail closed: at least one handler must say `OK`, also where the
 * only lists there are hold for other extensions (mod_python lets such a file pass; `a.b.html` has the extension `.b.html`).
 * @module
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Directives } from "./directives.ts";
import { isModTsError, ModTsError } from "./errors.ts";
import {
  type HandlerModule,
  type PhaseName,
  phaseNames,
  type UpgradeHandler,
  type WebSocketHandler,
} from "./handler.ts";
import { isHttpError } from "./http-error.ts";
import { reasonPhrase } from "./http-status.ts";
import { DECLINED, OK, type Outcome } from "./outcome.ts";
import {
  nameCulprit,
  PhaseRunner,
  type PhaseRunnerOptions,
  type SocketHandler,
} from "./phase-runner.ts";
import type { Settling } from "./request/internals.ts";
import { type ApacheRequest, internals } from "./request/request.ts";
import { type Ending, logFailure, respond } from "./respond.ts";

export interface EngineOptions extends PhaseRunnerOptions {
  /** Answers when every content handler declined: gives an outcome, `OK` when it has written the response. */
  fallback: (req: ApacheRequest) => Promise<Outcome>;
  /** In development: what is added to the end of an HTML page that came from these modules; undefined: one that failed to load. */
  pageTail?: (
    req: ApacheRequest,
    modules: ReadonlyMap<string, HandlerModule | undefined>,
  ) => Promise<string>;
}

export interface Engine {
  /** Takes a request through all phases and answers it. Never rejects. */
  run(req: ApacheRequest, directives: Directives): Promise<void>;
  /**
   * Takes a WebSocket handshake through the phases before content. Gives what serves the socket once it is open, or
   * undefined when a phase or a missing `webSocketHandler` ended the request, which is answered then. Never rejects.
   */
  upgrade(req: ApacheRequest, directives: Directives): Promise<ServeSocket | undefined>;
  /**
   * Takes a request for a resource that Apache itself serves through the phases before content. True when it may pass;
   * else it is answered. Never rejects.
   */
  authorize(req: ApacheRequest, directives: Directives): Promise<boolean>;
}

/**
 * Serves an upgraded connection until it closes; log and cleanup phases run after that. To be called in any case. Never rejects.
 */
export type ServeSocket =
  /** With the open WebSocket, or without one when the client has gone meanwhile. */
  | { webSocket(socket: WebSocket | undefined): Promise<void> }
  /** With the connection as it is, on which nobody has answered yet. */
  | { tunnel(socket: Socket, head: Buffer): Promise<void> };

const beforeContent = phaseNames.slice(0, phaseNames.indexOf("handler"));

/** Phases that let a request pass, or do not. */
const deciding = ["access", "authen", "authz"] as const satisfies readonly PhaseName[];

/** Creates the engine; one serves all requests of a worker. */
export function createEngine(options: EngineOptions): Engine {
  return {
    run: (req, directives) => new Run(options, req, directives).complete(),
    upgrade: (req, directives) => new Run(options, req, directives).upgrade(),
    authorize: (req, directives) => new Run(options, req, directives).authorize(),
  };
}

/** One request on its way. */
class Run {
  readonly #options: EngineOptions;
  readonly #req: ApacheRequest;
  readonly #directives: Directives;
  readonly #phases: PhaseRunner;

  constructor(options: EngineOptions, req: ApacheRequest, directives: Directives) {
    this.#options = options;
    this.#req = req;
    this.#directives = directives;
    this.#phases = new PhaseRunner(options, req, directives);
    if (options.pageTail) this.#phases.asked = new Map();
  }

  async complete(): Promise<void> {
    const ending = await this.#ending(() => this.#content());
    const answered = this.#respond(ending);
    if (answered) await answered;
    if (this.#isBusyAfterwards()) await this.#conclude();
    else this.#phases.release();
  }

  async upgrade(): Promise<ServeSocket | undefined> {
    let found: SocketHandler | undefined;
    const ending = await this.#ending(async () => {
      const answer = await this.#phases.findSocketHandler();
      if ("refusal" in answer) return contentEnding(answer.refusal);
      const { response } = this.#req[internals];
      // One that has begun an answer of its own, and says OK, has given it.
      if (response.begun) return { outcome: OK };
      response.discard();
      found = answer;
      return { outcome: OK };
    });
    if (found && !("error" in ending)) return this.#serveWith(found);
    await this.#respond(ending);
    await this.#conclude();
    return undefined;
  }

  #serveWith(found: SocketHandler): ServeSocket {
    if ("tunnel" in found) {
      return {
        tunnel: async (socket, head) => {
          await this.#tunnel(found.tunnel, socket, head);
          await this.#conclude();
        },
      };
    }
    return {
      webSocket: async (socket) => {
        if (socket) await this.#serveSocket(socket, found.webSocket);
        await this.#conclude();
      },
    };
  }

  async #tunnel(serve: UpgradeHandler, socket: Socket, head: Buffer): Promise<void> {
    try {
      await serve(this.#req, socket, head);
    } catch (error) {
      logFailure(nameCulprit(error, "handler", "upgradeHandler"), this.#req);
      if (!socket.destroyed) socket.end(refusal(error));
    }
    if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
  }

  async authorize(): Promise<boolean> {
    let passed = false;
    const ending = await this.#ending(async () => {
      // Nobody named a handler that decides, so nobody said OK: type and fixup handlers give no permission.
      if (!deciding.some((phase) => this.#directives.handlers.has(phase))) {
        throw new ModTsError("MODTS_NO_HANDLER");
      }
      passed = true;
      return { outcome: OK };
    });
    if ("error" in ending) passed = false;
    if (!passed) await this.#respond(ending);
    await this.#conclude();
    return passed;
  }

  /** The phases before content, then `content`; whatever is thrown becomes an ending here. */
  async #ending(content: () => Promise<Ending>): Promise<Ending> {
    let ending: Ending | undefined;
    try {
      for (const phase of beforeContent) {
        if (!this.#phases.has(phase)) continue;
        const outcome = await this.#phases.run(phase);
        if (outcome === OK || outcome === DECLINED) continue;
        ending = { outcome: outcome as Outcome };
        break;
      }
      ending ??= await content();
    } catch (error) {
      ending = endingOf(error);
    }
    const { settling } = this.#req[internals];
    return settling ? settled(settling, ending) : ending;
  }

  async #content(): Promise<Ending> {
    const outcome = await this.#phases.run("handler");
    if (outcome !== DECLINED) return contentEnding(outcome);
    // What a handler wrote before it found that the request is not its own would stand in front of the file.
    const { response, settling } = this.#req[internals];
    response.discard();
    // Handlers are done. A client that takes its time over the file would keep all its other requests waiting for the session.
    await settling?.settle(true);
    return { outcome: await this.#options.fallback(this.#req) };
  }

  #respond(ending: Ending): Promise<void> | void {
    const { pageTail } = this.#options;
    const { asked, held } = this.#phases;
    if (!pageTail || !asked) return respond(this.#req, ending, held);
    return pageTail(this.#req, asked).then((tail) => {
      this.#req[internals].response.tail = tail;
      return respond(this.#req, ending, held);
    });
  }

  async #conclude(): Promise<void> {
    await this.#afterwards("log");
    await this.#cleanUp();
    this.#phases.release();
  }

  #isBusyAfterwards(): boolean {
    const hasCleanups = this.#req[internals].cleanups.length > 0;
    return hasCleanups || this.#phases.has("log") || this.#phases.has("cleanup");
  }

  async #serveSocket(socket: WebSocket, serve: WebSocketHandler): Promise<void> {
    try {
      await serve(socket, this.#req);
    } catch (error) {
      logFailure(nameCulprit(error, "handler", "webSocketHandler"), this.#req);
      // RFC 6455, section 7.4.1: 1011, the server met an unexpected condition.
      socket.close(1011);
    }
    if (socket.readyState !== socket.CLOSED) {
      await new Promise((resolve) => socket.once("close", resolve));
    }
  }

  /** Phases after the response: their failures can change nothing any more, so they are logged. */
  async #afterwards(phase: "log" | "cleanup"): Promise<void> {
    if (!this.#phases.has(phase)) return;
    await this.#phases.run(phase).catch((error: unknown) => logFailure(error, this.#req));
  }

  /** Registered cleanups, last one first, then the cleanup handlers of the configuration, and what those have registered. */
  async #cleanUp(): Promise<void> {
    await this.#runRegistered();
    await this.#afterwards("cleanup");
    await this.#runRegistered();
  }

  async #runRegistered(): Promise<void> {
    for (;;) {
      const cleanup = this.#req[internals].cleanups.pop();
      if (!cleanup) break;
      try {
        await cleanup();
      } catch (error) {
        logFailure(nameCulprit(error, "cleanup", "registered cleanup"), this.#req);
      }
    }
  }
}

function contentEnding(outcome: Outcome | Response): Ending {
  return typeof outcome === "number" ? { outcome } : { outcome: OK, response: outcome };
}

function endingOf(error: unknown): Ending {
  return isHttpError(error) ? { outcome: error.outcome, thrown: error } : { outcome: 500, error };
}

/** A session that cannot be kept is a failure, whatever the handler made of the request. */
async function settled(settling: Settling, ending: Ending): Promise<Ending> {
  try {
    await settling.settle(!hasFailed(ending));
    return ending;
  } catch (error) {
    // Nobody will read it: the file or connection behind it would stay open.
    void ending.response?.body?.cancel().catch(() => {});
    return "error" in ending ? ending : { outcome: 500, error };
  }
}

/** The error page of a page is thrown as a `HttpError`; its cause tells that it is a failure all the same. */
function hasFailed(ending: Ending): boolean {
  return "error" in ending || isModTsError(ending.thrown?.cause);
}

/** On a connection that was handed over there is no response object any more. */
function refusal(error: unknown): string {
  const status = error instanceof ModTsError && error.status > 0 ? error.status : 500;
  return `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}
