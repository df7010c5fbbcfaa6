/**
 * What a handler says of a request. Numbers, because they survive IPC and a second copy of this package.
 * @module
 */

/** Handled; or, in a phase that only looks, no objection. */
export const OK = 0;
/** Not mine: ask the next handler. */
export const DECLINED = -1;
/** The response is complete: no later phase runs, the request is still logged. */
export const DONE = -2;

/** `OK`, `DECLINED`, `DONE`, or a final HTTP status code, from 200 to 599. */
export type Outcome = number;
