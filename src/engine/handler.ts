/**
 * The contract between mod_ts and a handler module. Read this file first, then `phases.ts`.
 *
 * A handler module exports one function per phase. The Apache configuration names the module.
 *
 * | directive (`Use …`)    | phase          | export                   | a list of handlers     |
 * |------------------------|----------------|--------------------------|------------------------|
 * | `TsTransHandler`       | `trans`        | `transHandler`           | first OK               |
 * | `TsInitHandler`        | `init`         | `initHandler`            | all run                |
 * | `TsHeaderParserHandler`| `headerparser` | `headerParserHandler`    | all run                |
 * | `TsAccessHandler`      | `access`       | `accessHandler`          | all run, fails closed  |
 * | `TsAuthenHandler`      | `authen`       | `authenHandler`          | first OK, fails closed |
 * | `TsAuthzHandler`       | `authz`        | `authzHandler`           | first OK, fails closed |
 * | `TsTypeHandler`        | `type`         | `typeHandler`            | first OK               |
 * | `TsFixupHandler`       | `fixup`        | `fixupHandler`           | all run                |
 * | `TsHandler`            | `handler`      | `handler`                | all run                |
 * | `TsLogHandler`         | `log`          | `logHandler`             | all run                |
 * | `TsCleanupHandler`     | `cleanup`      | `cleanupHandler`         | all run                |
 *
 * A module without an export `handler` responds with its default export: an object with a method
 * `fetch`, or a function of a `Request`; see `handlers/applications/fetch.ts`.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Outcome } from "../base/outcome.ts";
import { type HeldModule, type RequestPhase, requestPhases } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";

export { DECLINED, DONE, OK, type Outcome } from "../base/outcome.ts";

/** The phases of a request in the order they run. */
export const phaseNames: readonly PhaseName[] = requestPhases;

export type PhaseName = RequestPhase;

/** Result of a content handler: an outcome, a web-standard `Response`, or nothing for `OK`. */
export type HandlerResult = Outcome | Response | void;

/** A function of a handler module. Phases other than `handler` return an {@link Outcome}. */
export type Handler = (req: ApacheRequest) => HandlerResult | Promise<HandlerResult>;

/** The `webSocketHandler` export: called after the upgrade. */
export type WebSocketHandler = (socket: WebSocket, req: ApacheRequest) => void | Promise<void>;

/** The `upgradeHandler` export of a built-in: takes over the raw connection, handshake included. */
export type UpgradeHandler = (req: ApacheRequest, socket: Socket, head: Buffer) => Promise<void>;

/** Argument of a scheduled job. */
export interface JobContext {
  /** Its name in the configuration. */
  readonly name: string;
  /** Aborted when the worker is about to end; it waits for the job as long as for requests. */
  readonly signal: AbortSignal;
}

/** A scheduled job, by default the export `job`; see `background.schedule` in the configuration. */
export type Job = (context: JobContext) => unknown;

/** A version of a handler module, held by the requests that began with it. */
export interface HandlerModule extends HeldModule {
  /** Absolute path, or `mod_ts/name` of a built-in. */
  readonly file: string;
  /** Counts the builds of this module in this process, from 1; 0 for a built-in. */
  readonly generation: number;
  /** Called once by each request that holds the version; the last call lets `dispose` run. */
  release(): void;
}

/**
 * Returns the newest version of a module (`file.ts` or `mod_ts/name`), held for the caller;
 * synchronously if nothing changed. Throws or rejects with a `ModTsError`.
 *
 * `exportName` is the export to be used, or several with `|` between them. A save without an export
 * that the previous version had counts as broken: editors that write slowly leave half a file,
 * which is often valid.
 */
export type Resolve = (
  module: string,
  exportName: string,
) => HandlerModule | Promise<HandlerModule>;

/** The export used when a reference names none. */
export const defaultNames: Readonly<Record<PhaseName, string>> = {
  trans: "transHandler",
  init: "initHandler",
  headerparser: "headerParserHandler",
  access: "accessHandler",
  authen: "authenHandler",
  authz: "authzHandler",
  type: "typeHandler",
  fixup: "fixupHandler",
  handler: "handler",
  log: "logHandler",
  cleanup: "cleanupHandler",
};
