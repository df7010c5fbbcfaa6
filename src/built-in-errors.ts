/**
 * The part of the registry of errors that is about single built-in handlers; see `errors.ts`.
 * @module
 */

export const builtInErrors = {
  // mod_ts/cgi
  MODTS_CGI_NPH: { status: 500, level: "error", message: "{script} is NPH, not CGI: {reason}" },
  MODTS_CGI_NOT_EXECUTABLE: { status: 403, level: "error", message: "chmod +x {script}" },
  MODTS_CGI_NOT_STARTED: { status: 500, level: "error", message: "{script} not started: {reason}" },
  MODTS_CGI_BAD_HEADER: { status: 500, level: "error", message: "{script}: bad header: {reason}" },
  MODTS_CGI_DIED: { status: 500, level: "error", message: "{script} died: {reason}" },
  MODTS_CGI_EXIT: { status: 0, level: "warn", message: "{script} answered, then ended: {reason}" },
  MODTS_CGI_TIMEOUT: { status: 504, level: "error", message: "{script} was silent for {limit} ms" },
  MODTS_CGI_MEMORY: { status: 500, level: "error", message: "{script} held more than {limit} MB" },
  MODTS_CGI_BUSY: { status: 503, level: "warn", message: "{limit} scripts run, {queue} wait" },
  MODTS_CGI_STUCK: { status: 0, level: "crit", message: "the thread of {script} does not end" },
  // mod_ts/origin, fetchOrigin, req.internalRedirect
  MODTS_ORIGIN_UNSET: { status: 500, level: "error", message: "Apache cannot be called: {reason}" },
  MODTS_ORIGIN_REFUSED: { status: 502, level: "error", message: "{origin} took no call: {reason}" },
  MODTS_ORIGIN_LOOP: { status: 508, level: "error", message: "it goes round in circles: {reason}" },
  MODTS_ORIGIN_BUSY: { status: 503, level: "warn", message: "{limit} calls run, {limit} wait" },
  MODTS_ORIGIN_HIDDEN: { status: 500, level: "error", message: "{file} needs Use TsAroundHandler" },
  MODTS_ORIGIN_DOWN: { status: 502, level: "error", message: "{origin} did not answer: {reason}" },
  MODTS_ORIGIN_TIMEOUT: { status: 504, level: "error", message: "{origin}: silent for {limit} ms" },
  MODTS_ORIGIN_BROKEN: { status: 502, level: "error", message: "{origin} broke off: {reason}" },
} as const;
