/**
 * The sessions of a process: stores by their addresses, each opened once.
 * @module
 */
import type { Settling } from "../request/internals.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import type { Session, SessionOptions } from "../request/session.ts";
import { oncePerSection } from "../section-options.ts";
import type { LiveSession, SessionParts } from "./live-session.ts";
import { openSession } from "./open-session.ts";
import { openStore } from "./open-store.ts";
import { RequestSessions } from "./request-sessions.ts";
import { SessionCookie } from "./session-cookie.ts";
import { storeKey } from "./session-id.ts";
import { SessionLocks } from "./session-locks.ts";
import {
  readSessionSettings,
  type SessionSettings,
  withSessionOptions,
} from "./session-settings.ts";
import type { SessionStore } from "./session-store.ts";
import { readStoreAddress, type StoreAddress } from "./store-address.ts";
import { Sweeper } from "./sweeper.ts";

/** The installation, and the process. */
export interface SessionsOptions {
  /** Absolute; relative file names in options start here. */
  readonly folder: string;
  /** Absolute; where the SQLite file is by default. */
  readonly state: string;
  /** Worker processes of the pool. */
  readonly workers: number;
  /** Milliseconds since 1970; for tests. */
  readonly now?: () => number;
}

interface Backend {
  readonly store: SessionStore;
  readonly locks: SessionLocks;
  readonly sweeper: Sweeper;
}

interface Section {
  readonly settings: SessionSettings;
  readonly address: StoreAddress;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #backends = new Map<string, Promise<Backend>>();
  readonly #sectionOf: (values: Readonly<Record<string, string>>) => Section;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#sectionOf = oncePerSection((values) => ({
      settings: readSessionSettings(values),
      address: readStoreAddress(values, options),
    }));
  }

  /** Serves `req.session()`. */
  async open(req: ApacheRequest, options?: SessionOptions): Promise<Session> {
    const state = req[internals];
    const sessions = (state.settling ??= new RequestSessions(req, (settings, id) =>
      this.#open(req, settings, id),
    )) as Settling & RequestSessions;
    const { settings } = this.#sectionOf(req.getOptions());
    if (state.isOver) sessions.close();
    return sessions.open(options ? withSessionOptions(settings, options) : settings);
  }

  /** Closes all stores. */
  async close(): Promise<void> {
    const backends = [...this.#backends.values()];
    this.#backends.clear();
    await Promise.allSettled(
      backends.map(async (opening) => {
        const { store, sweeper } = await opening;
        sweeper.stop();
        await store.close();
      }),
    );
  }

  async #open(
    req: ApacheRequest,
    settings: SessionSettings,
    id: string | undefined,
  ): Promise<LiveSession> {
    const { address } = this.#sectionOf(req.getOptions());
    const { store, locks } = await this.#backend(address);
    const cookie = new SessionCookie(req, settings);
    const { now = Date.now } = this.#options;
    const host = settings.domain ?? req.server.serverHostname;
    const realm = `${settings.realm ?? host.toLowerCase()}\n${cookie.name}`;
    const parts: SessionParts = {
      store,
      locks,
      settings,
      cookie,
      patience: { limit: settings.lockTimeout * 1000, signal: () => req.signal },
      keyOf: (text) => storeKey(text, realm),
      now: () => Math.floor(now() / 1000),
    };
    return openSession(parts, id === undefined ? cookie.ids() : [id], address.title);
  }

  /** A store that could not be opened is tried anew by the next request. */
  #backend(address: StoreAddress): Promise<Backend> {
    const key = JSON.stringify(address);
    let backend = this.#backends.get(key);
    if (!backend) {
      backend = this.#openBackend(address);
      this.#backends.set(key, backend);
      backend.catch(() => this.#backends.delete(key));
    }
    return backend;
  }

  async #openBackend(address: StoreAddress): Promise<Backend> {
    const store = await openStore(address);
    const sweeper = new Sweeper(store, address.title);
    sweeper.start();
    return { store, locks: new SessionLocks(store), sweeper };
  }
}
