/**
 * The contract between mod_ts and a handler module: read this page, then `phases.ts`.
 *
 * A handler module exports one function a phase, named in the table below. The Apache configuration names the module.
 *
 * | directive (`Use …`)    | phase          | export                   | a list of handlers     |
 * |------------------------|----------------|--------------------------|------------------------|
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
 * A module without an export `handler` answers content with its default export, if that is an object with a method `fetch`, or a
 * function of a `Request`; see `adapters/fetch-application.ts`.
 * @module
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Outcome } from "./outcome.ts";
import { type HeldModule, type RequestPhase, requestPhases } from "./request/internals.ts";
import type { ApacheRequest } from "./request/request.ts";

export { DECLINED, DONE, OK, type Outcome } from "./outcome.ts";

/** The phases of a request in the order they run. */
export const phaseNames: readonly PhaseName[] = requestPhases;

export type PhaseName = RequestPhase;

/** What a content handler may give: an outcome, a web-standard `Response`, or nothing, which means `OK`. */
export type HandlerResult = Outcome | Response | void;

/** A function of a handler module. Every phase but `handler` gives an {@link Outcome}. */
export type Handler = (req: ApacheRequest) => HandlerResult | Promise<HandlerResult>;

/** The `webSocketHandler` export: called once the upgrade is done. */
export type WebSocketHandler = (socket: WebSocket, req: ApacheRequest) => void | Promise<void>;

/** The `upgradeHandler` export of a built-in: takes the connection of an upgrade over as it is, handshake included. */
export type UpgradeHandler = (req: ApacheRequest, socket: Socket, head: Buffer) => Promise<void>;

/** A version of a handler module, held by the requests that began with it. */
export interface HandlerModule extends HeldModule {
  /** Absolute path, or `mod_ts/name` of a built-in. */
  readonly file: string;
  /** Counts the builds of this module in this process, from 1; 0 for a built-in. */
  readonly generation: number;
  /** Called once by each request that holds the version: the last one lets `dispose` run. */
  release(): void;
}

/**
 * Finds the module of a reference (`file.ts` or `mod_ts/name`), fresh, and holds it for the caller.
 * Answers at once when nothing changed; throws or rejects with a `ModTsError`.
 *
 * `exportName` is what the caller is going to look up: a save that loses an export which the version before it had
 * counts as broken, because an editor that writes slowly leaves half a file that is often valid. Of names with `|` between
 * them any will do.
 */
export type Resolve = (
  module: string,
  exportName: string,
) => HandlerModule | Promise<HandlerModule>;
