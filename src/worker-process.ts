/**
 * One worker as the supervisor sees it: a child process, and the messages that pass between the two.
 * @module
 */

/**
 * What the supervisor says to a worker. `Config` is plain data that the supervisor passes on unread.
 *
 * A worker must end itself on the IPC event `disconnect`: it is the only sign that the supervisor died, and a worker
 * that outlives it would hold old code, and memory, for ever.
 */
export type ToWorker<Config = unknown> = InitMessage<Config> | ConnectionMessage | DrainMessage;

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
 * No connection comes any more. Finish the requests that run, answer each with `Connection: close`, then exit with code 0.
 * Do not close idle connections before `linger` is over: Apache may be sending a request on one at this very moment,
 * and would answer its client 502.
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
  /** The worker has the connection. Until then the supervisor keeps a copy of it, to give to another worker should this one die or hang. */
  | { type: "accepted" }
  /** A connection has ended. Optional: without it connections are dealt out in turn, with it to whoever has the fewest. */
  | { type: "closed" };
