/**
 * Connections that applications for `node:http` have upgraded: Socket.IO, `ws`, `@fastify/websocket`.
 *
 * Their server hears of an upgrade as it would from a port, and owns the connection from then on.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { ModTsError } from "../../base/errors.ts";
import type { ApacheRequest } from "../../request/request.ts";
import type { ApplicationUrl } from "./application.ts";
import { clientOf } from "./client-socket.ts";
import { createMessage } from "./node-message.ts";

export interface UpgradeCall {
  readonly req: ApacheRequest;
  readonly url: ApplicationUrl;
  /** Of the application, for errors. */
  readonly name: string;
}

export interface RawConnection {
  readonly socket: Socket;
  /** What the client has sent already. */
  readonly head: Buffer;
}

/**
 * Hands the connection to the listeners of `upgrade`.
 * @throws ModTsError `MODTS_NO_WEBSOCKET` if the server has none
 */
export function passUpgrade(
  server: Server,
  { req, url, name }: UpgradeCall,
  { socket, head }: RawConnection,
): void {
  if (server.listenerCount("upgrade") === 0) throw noWebSocket(name);
  // The connection is Apache's, but serves this client only.
  for (const [key, value] of Object.entries(clientOf(req))) {
    Object.defineProperty(socket, key, { value, configurable: true });
  }
  const message = createMessage(req, socket, url, "Connection", "Upgrade");
  server.emit("upgrade", message, socket, head);
}

/** The application serves requests, but no connections. */
export function noWebSocket(application: string): ModTsError {
  const reason = "has no server with a listener of the event upgrade";
  return new ModTsError("MODTS_NO_WEBSOCKET", { handler: application, reason });
}

/** Connections of one application, all with one version: two would not know each other's clients. */
export class ApplicationSockets {
  readonly #open = new Set<Socket>();
  #generation = 0;

  /** Tells of a request; a newer version closes the connections of the older ones. */
  meet(generation: number): void {
    if (generation <= this.#generation) return;
    this.#generation = generation;
    // Clients connect again. A frame of our own would be one in the middle of the application's.
    for (const socket of this.#open) socket.destroy();
  }

  /** A handshake may still hold an older version than that of the newest request. */
  add(socket: Socket, generation: number): void {
    if (generation < this.#generation) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
  }
}
