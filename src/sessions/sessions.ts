/** All sessions of a process; each store is opened once. */
import { getOrCreate } from "../base/cache.ts";
import { counter } from "../base/counts.ts";
import { internals, type RequestFinalizer } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { Session, SessionOptions } from "../request/session.ts";
import { oncePerSection } from "../base/options.ts";
import type { SessionParts } from "./live-session.ts";
import { openSession, type OpenSession, RequestSessions } from "./request-sessions.ts";
import { openStore, readStoreAddress } from "./open-store.ts";
import { SessionCookie, storeKey } from "./session-cookie.ts";
import { SessionLocks } from "./session-locks.ts";
import {
  readSessionSettings,
  type SessionSettings,
  withSessionOptions,
} from "./session-settings.ts";
import type { SessionStore, StoreAddress } from "./session-store.ts";
import { Sweeper } from "./sweeper.ts";

export interface SessionsOptions {
  /** Absolute; base of relative file names in options. */
  readonly directory: string;
  /** Absolute; default directory of the SQLite file. */
  readonly state: string;
  /** Worker processes that may open the same session. */
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
  /** Text of {@link address}. */
  readonly key: string;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #backends = new Map<string, Promise<Backend>>();
  readonly #sectionOf: (values: Readonly<Record<string, string>>) => Section;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#sectionOf = oncePerSection((values) => {
      const address = readStoreAddress(values, options);
      return { settings: readSessionSettings(values), address, key: JSON.stringify(address) };
    });
  }

  /** Implements `req.session()`. */
  async open(req: ApacheRequest, options?: SessionOptions): Promise<Session> {
    const state = req[internals];
    const sessions = (state.finalizer ??= new RequestSessions(
      req,
      this.#start,
    )) as RequestFinalizer & RequestSessions;
    const { settings } = this.#sectionOf(req.getOptions());
    if (state.isOver) sessions.close();
    return sessions.open(options ? withSessionOptions(settings, options) : settings);
  }

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

  readonly #start: OpenSession = async (req, settings, id) => {
    const section = this.#sectionOf(req.getOptions());
    const { store, locks } = await this.#backend(section);
    const cookie = new SessionCookie(req, settings);
    const { now = Date.now } = this.#options;
    const realm = `${settings.realm ?? settings.domain?.toLowerCase() ?? siteOf(req)}\n${cookie.name}`;
    const parts: SessionParts = {
      store,
      locks,
      settings,
      cookie,
      wait: { limit: settings.lockTimeout * 1000, signal: () => req.signal },
      keyOf: (text) => storeKey(text, realm),
      now: () => Math.floor(now() / 1000),
    };
    const session = await openSession(
      parts,
      id === undefined ? cookie.ids() : [id],
      section.address.title,
    );
    counter.addEvent(session.isNew ? "sessions_created" : "sessions_continued");
    return session;
  };

  /** The next request tries a store again that could not be opened. */
  #backend({ address, key }: Section): Promise<Backend> {
    return getOrCreate(this.#backends, key, () => {
      const backend = this.#openBackend(address);
      backend.catch(() => this.#backends.delete(key));
      return backend;
    });
  }

  async #openBackend(address: StoreAddress): Promise<Backend> {
    const store = await openStore(address);
    const sweeper = new Sweeper(store, address.title);
    sweeper.start();
    return { store, locks: new SessionLocks(store), sweeper };
  }
}

/**
 * Attack: with `UseCanonicalName Off` the server name is the `Host` of the client, who takes a session
 * of one virtual host to another one, on another port. No client chooses the document root.
 */
function siteOf(req: ApacheRequest): string {
  return `${req.server.serverHostname.toLowerCase()}\n${req.documentRoot()}`;
}
