/**
 * Connections of sockets of the sidecar's own, each served by a `connectionHandler`.
 *
 * Attacks: a client that connects and sends nothing, or reads nothing; one that opens all
 * connections; one that keeps sending after the end. A connection has a time limit on silence, a
 * worker a limit on their number, and an ended one a moment to close.
 */
import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import { counter } from "../base/counts.ts";
import { isModTsError, ModTsError, report } from "../base/errors.ts";
import { log } from "../base/log.ts";
import {
  closeConnection,
  Connection,
  type ConnectionHandler,
  destroyLate,
} from "../engine/connection.ts";
import { parseReference } from "../engine/handler-reference.ts";
import type { Resolve } from "../engine/handler.ts";
import { findFunction } from "../engine/phase-runner.ts";

/** A socket of the configuration; times in milliseconds. */
export interface ConnectionSettings {
  readonly pool: string;
  /** Handler reference; the export is `connectionHandler` by default. */
  readonly run: string;
  /** Absolute paths of PEM files. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Connections of a worker at a time. */
  readonly limit: number;
  /** Without a byte in either direction; 0: no limit. */
  readonly idleTimeout: number;
}

interface Port extends ConnectionSettings {
  readonly name: string;
  readonly sockets: Set<Socket>;
  /** Decrypts. */
  readonly server: Server | undefined;
  isFull: boolean;
}

export class Connections {
  readonly #ports: ReadonlyMap<string, Port>;
  readonly #resolve: Resolve;
  readonly #ending = new AbortController();
  readonly #running = new Map<Socket, Promise<void>>();

  /**
   * For the workers of a pool. Throws what reading a certificate throws.
   * @param handshakeMs for a TLS handshake
   */
  constructor(
    settings: Readonly<Record<string, ConnectionSettings>>,
    pool: string,
    resolve: Resolve,
    handshakeMs: number = 10_000,
  ) {
    this.#resolve = resolve;
    // One of each connection.
    setMaxListeners(0, this.#ending.signal);
    const served = Object.entries(settings).filter(([, each]) => each.pool === pool);
    const ports = served.map(([name, each]): [string, Port] => {
      const secured = (socket: Socket): void => this.#begin(name, socket);
      const server = each.tls && createTls(each.tls, handshakeMs, secured);
      return [name, { ...each, name, server, sockets: new Set(), isFull: false }];
    });
    this.#ports = new Map(ports);
  }

  /** Serves a connection that the supervisor accepted. */
  accept(name: string, socket: Socket): void {
    const port = this.#ports.get(name);
    socket.on("error", () => socket.destroy());
    // The configuration of this worker is newer than the socket.
    if (!port) return void socket.destroy();
    if (port.sockets.size >= port.limit) return refuse(port, socket);
    port.isFull = false;
    hold(port, socket);
    if (port.server) port.server.emit("connection", socket);
    else this.#begin(name, socket);
  }

  /** Tells the handlers, closes what is open after `linger` milliseconds, and resolves when all have ended. */
  async drain(linger: number): Promise<void> {
    this.#ending.abort();
    const close = (): void => {
      // A connection counts as running after its handshake.
      const accepted = [...this.#ports.values()].flatMap(({ sockets }) => [...sockets]);
      for (const socket of new Set([...this.#running.keys(), ...accepted])) {
        socket.destroySoon();
        destroyLate(socket);
      }
    };
    const timer = setTimeout(close, linger);
    while (this.#running.size > 0) await Promise.all(this.#running.values());
    clearTimeout(timer);
  }

  #begin(name: string, socket: Socket): void {
    const port = this.#ports.get(name)!;
    socket.on("error", () => socket.destroy());
    socket.setTimeout(port.idleTimeout, () => socket.destroy());
    const run = this.#serve(port, socket).finally(() => this.#running.delete(socket));
    this.#running.set(socket, run);
  }

  /** Never rejects. */
  async #serve(port: Port, socket: Socket): Promise<void> {
    const connection = new Connection(port.name, socket, this.#ending.signal);
    try {
      await this.#call(port.run, connection);
      await closeConnection(socket);
    } catch (error) {
      if (!socket.destroyed) reportFailure(port, connection, error);
      socket.destroy();
    }
  }

  /** The newest version of the module, held while it serves the connection. */
  async #call(run: string, connection: Connection): Promise<void> {
    const { module: file, path } = parseReference(run);
    const names = path.length > 0 ? path : ["connectionHandler"];
    const module = await this.#resolve(file, names[0] as string);
    try {
      await (findFunction(module, names) as ConnectionHandler)(connection);
    } finally {
      module.release();
    }
  }
}

function createTls(
  { certFile, keyFile }: NonNullable<ConnectionSettings["tls"]>,
  handshakeTimeout: number,
  secured: (socket: Socket) => void,
): Server {
  const files = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const server = createServer({ ...files, handshakeTimeout }, secured);
  // Node.js only reports a handshake that takes too long; it does not close the connection.
  return server.on("tlsClientError", (_, socket) => socket.destroy());
}

function hold({ name, sockets }: Port, socket: Socket): void {
  counter.addEvent(`connections_accepted_${name}`);
  counter.sockets.set(name, sockets.add(socket).size);
  socket.once("close", () => {
    sockets.delete(socket);
    counter.sockets.set(name, sockets.size);
  });
}

/** A flood of connections must not be a flood of lines. */
function refuse(port: Port, socket: Socket): void {
  socket.destroy();
  counter.addEvent(`connections_refused_${port.name}`);
  if (port.isFull) return;
  port.isFull = true;
  const { name, limit } = port;
  report(new ModTsError("MODTS_CONNECTIONS_FULL", { name, limit }));
}

function reportFailure({ run }: Port, { name, remoteAddr }: Connection, error: unknown): void {
  const client = remoteAddr.join(":");
  if (isModTsError(error)) {
    log(error.level, `${name}: ${error.message}`, { code: error.code, client });
    return;
  }
  report(new ModTsError("MODTS_CONNECTION_FAILED", { name, handler: run }), { client, error });
}
