/**
 * Method numbers of httpd (`httpd.h`), for code that comes from mod_python.
 * @module
 */

export const M_GET = 0;
export const M_PUT = 1;
export const M_POST = 2;
export const M_DELETE = 3;
export const M_CONNECT = 4;
export const M_OPTIONS = 5;
export const M_TRACE = 6;
export const M_PATCH = 7;
export const M_PROPFIND = 8;
export const M_PROPPATCH = 9;
export const M_MKCOL = 10;
export const M_COPY = 11;
export const M_MOVE = 12;
export const M_LOCK = 13;
export const M_UNLOCK = 14;
export const M_VERSION_CONTROL = 15;
export const M_CHECKOUT = 16;
export const M_UNCHECKOUT = 17;
export const M_CHECKIN = 18;
export const M_UPDATE = 19;
export const M_LABEL = 20;
export const M_REPORT = 21;
export const M_MKWORKSPACE = 22;
export const M_MKACTIVITY = 23;
export const M_BASELINE_CONTROL = 24;
export const M_MERGE = 25;
export const M_INVALID = 26;

const names = [
  "GET",
  "PUT",
  "POST",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "PROPFIND",
  "PROPPATCH",
  "MKCOL",
  "COPY",
  "MOVE",
  "LOCK",
  "UNLOCK",
  "VERSION-CONTROL",
  "CHECKOUT",
  "UNCHECKOUT",
  "CHECKIN",
  "UPDATE",
  "LABEL",
  "REPORT",
  "MKWORKSPACE",
  "MKACTIVITY",
  "BASELINE-CONTROL",
  "MERGE",
];

/** The number of a method. As in httpd, HEAD counts as GET and a method httpd does not know is `M_INVALID`. */
export function methodNumberOf(method: string): number {
  if (method === "HEAD") return M_GET;
  const number = names.indexOf(method);
  return number < 0 ? M_INVALID : number;
}

/** A bit for each method that has a number, as `r->allowed` of httpd. */
export function methodMask(methods: readonly string[]): number {
  return methods
    .map(methodNumberOf)
    .filter((number) => number !== M_INVALID)
    .reduce((mask, number) => mask | (1 << number), 0);
}
