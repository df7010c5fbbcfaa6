/**
 * What a script's thread and the worker say to each other. The words of `control` are shared memory.
 * @module
 */
import type { MessagePort } from "node:worker_threads";

/** Index into `control`: bytes of output that the worker has not dealt with yet. The thread stands still while it is over the limit. */
export const outstandingWord = 0;
/** Index into `control`: counts the messages on the port for input, so that a thread can wait for the next one. */
export const inputWord = 1;
/** Index into `control`: counts the answers on the port for sources. */
export const answerWord = 2;

/** Bytes that a script may be ahead of its reader, as with a pipe. */
export const outputLimit = 262_144;
/** Bytes of one message. */
export const messageSize = 65_536;

/** What a thread is born with. */
export interface ThreadData {
  /** From the thread: {@link ThreadMessage}; to it: one {@link RunOrder}. */
  readonly port: MessagePort;
  /** From the thread: anything, which asks for the next chunk; to it: the chunk, or null at the end. */
  readonly input: MessagePort;
  /** From the thread: a `SourceQuestion`; to it: a `SourceAnswer`. */
  readonly source: MessagePort;
  readonly control: Int32Array<SharedArrayBuffer>;
  /** URL of the module that begins. */
  readonly entry: string;
  /** URL of what `mod-ts` stands for in an import. */
  readonly face: string;
  /** In a checkout: our own modules by URL, compiled already. */
  readonly code: Readonly<Record<string, string>>;
}

/** What is to be run. */
export interface RunOrder {
  /** Absolute path. */
  readonly file: string;
  /** Its environment, all of it. */
  readonly env: Record<string, string>;
  /** Milliseconds that a child process may take for which the script waits without an event loop. */
  readonly childTimeout: number;
}

/** Nothing in it: ready for an order. `undefined` for `chunk`: the stream has ended. */
export interface ThreadMessage {
  readonly stream?: 1 | 2;
  readonly chunk?: Uint8Array<ArrayBuffer>;
  /** Process group of a child that begins, or that is over when it was told before. */
  readonly group?: number;
}
