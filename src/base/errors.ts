/** The registry of errors: one code per cause, never reused. `docs/errors.md` describes each. */
import { log, type LogLevel, type LogRecord } from "./log.ts";

interface ErrorEntry {
  /** HTTP status of the response; 0 where no client is involved. */
  status: number;
  level: LogLevel;
  /** `{name}` is replaced by the parameter of that name. */
  message: string;
}

// oxfmt-ignore
const table = {
  // Trust and context (gateway)
  MODTS_CONTEXT_MISSING: [403, "error", "request rejected: no context from Apache ({reason})"],
  MODTS_SOURCE_REQUESTED: [403, "info", "request of {client} rejected: {file} is source code, and no handler runs at its address"],
  MODTS_CONTEXT_INVALID: [403, "error", "request rejected: invalid context from Apache ({reason}); install the mod_ts.conf of this version"],
  MODTS_SECRET_WRONG: [403, "error", "request rejected: its seal was not made with this sidecar's secret; run mod-ts conf again and reload Apache"],
  MODTS_SUBREQUEST_UNDECIDED: [403, "debug", "sub-request rejected: its main request has not been decided yet"],
  MODTS_OVERLOADED: [503, "warn", "request rejected: {limit} requests are waiting for a response of this worker"],
  MODTS_BAD_URL: [400, "info", "malformed URL: {reason}"],
  MODTS_HEADERS_TOO_LARGE: [431, "warn", "request headers exceed limits.headerBytes"],
  MODTS_BAD_REQUEST: [400, "warn", "malformed HTTP request: {reason}"],
  MODTS_UNKNOWN_METHOD: [501, "info", "request method {method} is not supported by Node.js"],
  MODTS_BODY_TOO_LARGE: [413, "warn", "request body exceeds {limit} bytes, set by limits.bodyBytes or mod_ts.request.body_bytes"],
  MODTS_BODY_ABORTED: [400, "info", "client disconnected before the request body was complete"],
  MODTS_BODY_USED: [500, "error", "request body can be read only once; already used by {first}"],
  MODTS_WEBSOCKET_ORIGIN: [403, "notice", "WebSocket from origin {origin} rejected; allow it with Use TsOption mod_ts.websocket_origins"],

  // Access control and decisions (authorizer, decider)
  MODTS_FCGI_PROTOCOL: [0, "warn", "FastCGI connection from {peer} closed: {reason}"],
  MODTS_SCGI_PROTOCOL: [0, "warn", "connection to the decider closed: {reason}"],
  MODTS_DECIDER_TIMEOUT: [503, "error", "request rejected: no decision within {limit} ms"],
  MODTS_DECISION_LOOP: [403, "error", "request rejected: {path} was decided already ({depth} questions)"],
  MODTS_BODY_LOST: [400, "warn", "request rejected: Apache would lose its body of {bytes} bytes after a decision; send it with POST"],
  MODTS_UNKNOWN_PHASE: [500, "error", "{module} exports {name}, which is not a phase; {hint}"],
  MODTS_DECISION_TOO_LONG: [500, "error", "decision has {bytes} bytes, more than Apache reads ({limit}); pass on fewer or shorter values"],
  MODTS_BAD_TRANSLATION: [500, "error", "invalid translation to {target}: {reason}"],
  MODTS_SUBREQUEST_GUARDED: [403, "warn", "a page cannot contain a file of a guarded section whose phases the decider runs"],
  MODTS_SUBREQUEST_HANDLER: [500, "error", "req.handler cannot be set for a part of a page; Apache chooses its handler"],
  MODTS_NOT_ACCEPTED: [0, "warn", "{name} does not reach Apache; add Use {macro} {name} to the section of the resource"],
  MODTS_AUTHORIZER_TIMEOUT: [503, "error", "request rejected: no access decision within {limit} ms"],
  MODTS_REFUSAL_LOST: [0, "warn", "the refusal ({status}) reaches the client as a 403 without its headers and body; add Use TsRefusals to the section"],
  MODTS_COOKIES_LOST: [431, "warn", "request rejected: its cookies are larger than Apache passes to a guard (16368 bytes)"],
  MODTS_ACCESS_LOG_UNREADABLE: [0, "error", "cannot follow the access log {file}: {reason}"],
  MODTS_ACCESS_LOG_LINE: [0, "error", "unreadable line in the access log ({reason}): {line}"],
  MODTS_NO_BODY: [500, "error", "request body is not available to access, authen and authz handlers of Apache's own resources"],

  // Filters (request)
  MODTS_FILTER_TOO_LARGE: [500, "error", "body exceeds the {limit} bytes of the filter; raise the limit of textFilter, or use chunkFilter"],
  MODTS_FILTER_UNREADABLE: [500, "error", "filter cannot read {what}"],
  MODTS_FILTER_FAILED: [500, "error", "filter {filter} failed"],

  // Handlers (engine)
  MODTS_NO_HANDLER: [500, "error", "no content handler for this location; add Use TsHandler file.ts"],
  MODTS_NOTHING_DECIDES: [500, "error", "no handler here decides about access; Require mod_ts asks Use TsAuthzHandler, the other guards need another line, such as Require valid-user"],
  MODTS_BAD_REFERENCE: [500, "error", 'invalid handler reference "{reference}": {reason}; expected file.ts, file.ts::name or mod_ts/name'],
  MODTS_OUTSIDE_ROOTS: [500, "error", "handler {file} is outside the handler directories {roots}"],
  MODTS_HANDLER_NOT_FOUND: [500, "error", "handler file {file} not found in {roots}"],
  MODTS_HANDLER_DELETED: [404, "error", "handler file {file} was deleted while the sidecar was running"],
  MODTS_UNKNOWN_BUILTIN: [500, "error", "unknown built-in handler {name}; expected one of {names}"],
  MODTS_NO_WEBSOCKET: [400, "notice", "WebSocket rejected: {handler} {reason}"],
  MODTS_MISSING_EXPORT: [500, "error", "{module} has no export named {name}; {hint}"],
  MODTS_NOT_CALLABLE: [500, "error", "export {name} of {module} is {type}; expected a function or a class"],
  MODTS_BAD_OUTCOME: [500, "error", "{handler} returned {value} in phase {phase}; expected {expected}"],
  MODTS_HANDLER_FAILED: [500, "error", "{handler} failed in phase {phase}"],
  MODTS_HANDLER_TIMEOUT: [504, "error", "{handler} did not finish within {limit} ms in phase {phase}"],
  MODTS_HANDLER_SLOW: [0, "warn", "{handler} took {ms} ms in phase {phase}; log.slow is {limit} ms"],
  MODTS_CONNECTION_FAILED: [0, "error", "connections.{name}: {handler} failed"],
  MODTS_CONNECTION_CLOSED: [0, "debug", "the connection is closed"],
  MODTS_CONNECTIONS_FULL: [0, "warn", "connections.{name}: {limit} connections are open in this worker; further ones are closed"],
  MODTS_LINE_TOO_LONG: [0, "info", "line is longer than {limit} bytes"],
  MODTS_JOB_FAILED: [0, "error", "job {job} failed"],
  MODTS_JOB_OVERLAPS: [0, "warn", "job {job} is not started: its last run has not ended"],
  MODTS_MODULE_UNAVAILABLE: [0, "error", "{module} cannot be loaded: {reason}"],
  MODTS_BACKGROUND_FILE: [0, "error", "cannot use {file}, the lock of background work: {reason}"],
  MODTS_AUTHEN_DECLINED: [500, "error", "user not authenticated: every authen handler returned DECLINED"],
  MODTS_NO_USER: [500, "error", "authen handler {handler} returned OK without setting req.user"],
  MODTS_BAD_PHASE: [500, "error", 'cannot add a handler to phase "{phase}": {reason}'],
  MODTS_BAD_CONFIG_LINE: [500, "error", 'invalid configuration line from Apache: "{line}"'],
  MODTS_OTHER_SIDECAR: [500, "error", 'line "{line}" from Apache does not belong to sidecar {sidecar}; sections of two sidecars apply to this request'],
  MODTS_WRONG_INTERPRETER: [500, "error", "request for pool {asked} arrived at pool {actual}; check the order of Use TsInterpreter"],
  MODTS_UNHANDLED_REJECTION: [0, "error", "unhandled promise rejection"],
  MODTS_UNCAUGHT_EXCEPTION: [0, "crit", "uncaught exception outside of any request; the worker exits"],
  MODTS_WORKER_ENDED: [500, "error", "a handler ended the worker before this request had its response"],

  // Request and response
  MODTS_HEADERS_SENT: [500, "error", "{name} can no longer be changed: headers were already sent"],
  MODTS_RESPONSE_ENDED: [500, "error", "{name} failed: response is already complete"],
  MODTS_BAD_HEADER: [500, "error", "invalid header {name}: {reason}"],
  MODTS_CLIENT_GONE: [400, "info", "client disconnected before the response was complete"],
  MODTS_LENGTH_MISMATCH: [500, "error", "response body has {actual} bytes; expected {announced} as announced"],
  MODTS_FILE_UNREADABLE: [500, "error", "cannot send {file}: {reason}"],
  MODTS_UPLOAD_FAILED: [500, "error", "cannot store an uploaded file in {directory}: {reason}"],
  MODTS_BAD_COOKIE: [500, "error", "invalid cookie {name}: {reason}"],
  MODTS_BAD_ARGUMENT: [500, "error", "invalid argument for {name}: {reason}"],

  // Sessions
  MODTS_SESSION_STORE: [503, "error", "session store {store} failed: {reason}"],
  MODTS_SESSION_LOCKED: [503, "warn", "session is locked: held by another request for {age} s, gave up after {limit} s"],
  MODTS_SESSION_LOST: [503, "error", "session cannot be saved: {reason}"],
  MODTS_SESSION_DATA: [500, "error", "session cannot store {path}: {reason}"],
  MODTS_SESSION_CORRUPT: [0, "error", "invalid record in session store {store}: {reason}; a new session is started"],

  // Built-in handlers
  MODTS_BAD_OPTION: [500, "error", "invalid option {name}: {reason}"],
  MODTS_PACKAGE_OLD: [500, "error", "{handler} requires {package} {least} or newer, found {version}; run npm install {package}@latest"],
  MODTS_PACKAGE_MISSING: [500, "error", "{handler} requires the package {package}; run npm install {package}"],
  MODTS_NOT_AN_APPLICATION: [500, "error", "{module} exports {type}; expected {expected}"],
  MODTS_NO_RESPONSE: [500, "error", "application returned no Response"],
  MODTS_APPLICATION_FAILED: [500, "error", "{application} cannot start: {reason}"],
  MODTS_AUTH_SERVICE_DOWN: [503, "error", "authentication service {url} is unavailable: {reason}"],
  MODTS_AUTH_SERVICE_ANSWER: [502, "error", "invalid response from authentication service {url}: {reason}"],
  MODTS_USERS_UNREADABLE: [500, "error", "credentials file {file} cannot be used: {reason}"],
  MODTS_DATABASE_DOWN: [503, "error", "user lookup in {database} failed: {reason}"],
  MODTS_DATABASE_ANSWER: [500, "error", "invalid result of the mod_ts/sql query: {reason}"],
  MODTS_PASSWORDS_BUSY: [503, "warn", "too many password checks: {limit} queued"],
  MODTS_BAD_PARAMETERS: [500, "error", "unsupported parameters of {name}: {reason}"],
  MODTS_BAD_SCHEMA: [500, "error", "invalid schema of {name}: {reason}"],
  MODTS_BAD_RESULT: [500, "error", "invalid result of {name}: {reason}"],
  MODTS_BAD_PASSWORD_LIST: [500, "error", "invalid password entry of {user}: {reason}"],
  MODTS_PAGE_FAILED: [500, "error", "{page} failed; error page {file} is sent instead"],
  MODTS_ERROR_PAGE_FAILED: [500, "error", "error page {file} failed"],
  MODTS_PAGE_CACHE: [0, "warn", "cannot use page cache {directory}: {reason}"],

  // CGI scripts
  MODTS_CGI_NPH: [500, "error", "{script} is an NPH script, which is not supported: {reason}"],
  MODTS_CGI_NOT_EXECUTABLE: [403, "error", "{script} is not executable; run chmod +x {script}"],
  MODTS_CGI_NOT_STARTED: [500, "error", "{script} cannot be started: {reason}"],
  MODTS_CGI_BAD_HEADER: [500, "error", "invalid CGI header of {script}: {reason}"],
  MODTS_CGI_DIED: [500, "error", "{script} failed: {reason}"],
  MODTS_CGI_EXIT: [0, "warn", "{script} failed after its response was complete: {reason}"],
  MODTS_CGI_TIMEOUT: [504, "error", "{script} wrote nothing for {limit} ms"],
  MODTS_CGI_MEMORY: [500, "error", "{script} exceeded its memory limit of {limit} MB"],
  MODTS_CGI_BUSY: [503, "warn", "too many CGI scripts: {limit} running, {queue} queued"],

  // Callbacks to Apache and other origins
  MODTS_ORIGIN_UNSET: [500, "error", "callbacks to Apache are not configured: {reason}"],
  MODTS_ORIGIN_REFUSED: [502, "error", "callback to {origin} failed: {reason}"],
  MODTS_ORIGIN_LOOP: [508, "error", "redirect loop: {reason}"],
  MODTS_ORIGIN_BUSY: [503, "warn", "too many callbacks: {limit} running, {limit} queued"],
  MODTS_ORIGIN_HIDDEN: [500, "error", "source of {file} withheld; write Use TsAroundHandler instead of Use TsHandler"],
  MODTS_ORIGIN_DOWN: [502, "error", "{origin} is unavailable: {reason}"],
  MODTS_ORIGIN_TIMEOUT: [504, "error", "{origin} sent nothing for {limit} ms"],
  MODTS_ORIGIN_BROKEN: [502, "error", "{origin} closed the connection in the middle of a response: {reason}"],

  // Loader
  MODTS_BUILD_FAILED: [500, "error", "cannot load {file}: {reason}"],
  MODTS_BUILD_TIMEOUT: [500, "error", "cannot load {file}: top-level code did not finish within {limit} ms"],
  MODTS_TIMER_LEFT: [0, "warn", "{file} was replaced, but its previous version still has {timer} ({place}); clear it in an exported function dispose"],
  MODTS_VERSION_STORE: [0, "warn", "workers do not share last good versions, because {directory} cannot be used: {reason}"],
  MODTS_NODE_FLAG_MISSING: [0, "crit", "cannot load handlers: start Node.js with --experimental-vm-modules"],

  // Supervisor, configuration, command line
  MODTS_CONFIG_INVALID: [0, "crit", "invalid configuration {file} (errors: {count})\n{list}"],
  MODTS_CONFIG_UNREADABLE: [0, "crit", "cannot read configuration {file}: {reason}"],
  MODTS_RUNS_AS_ROOT: [0, "warn", "handlers run as root; start the sidecar as an unprivileged user"],
  MODTS_SECRET_REQUIRED: [0, "crit", "listening on {address} requires a shared secret; set secret or secretFile in the configuration"],
  MODTS_LISTEN_FAILED: [0, "crit", "cannot listen on {address}: {reason}"],
  MODTS_HTTPD_MISSING: [0, "crit", "Apache httpd not found: {reason}"],
  MODTS_CONF_IN_USE: [0, "crit", "cannot remove {file}: httpd would reject its configuration without it: {reason}"],
  MODTS_MIGRATION_EXISTS: [0, "crit", "{file} already exists; use --force to overwrite it, or --output for another directory"],
  MODTS_CONF_CHANGED: [0, "crit", "{file} already exists with different content; use --force to overwrite"],
  MODTS_HTTPD_FAILED: [0, "crit", "{binary} did not start: {reason}"],
  MODTS_HTTPD_MODULE: [0, "crit", "Apache module {module} not found (looked for {path})"],
  MODTS_WORKER_DIED: [0, "error", "worker {pid} of pool {pool} exited ({reason})"],
  MODTS_WORKER_BLOCKED: [0, "error", "event loop of worker {pid} of pool {pool} has been blocked for {ms} ms"],
  MODTS_WORKER_RECYCLED: [0, "notice", "worker {pid} of pool {pool} is replaced: {reason}"],
  MODTS_CRASH_LOOP: [0, "crit", "workers of pool {pool} keep exiting: {count} in a row ({reason}); new ones are started, with growing pauses"],
  MODTS_HANDLER_OVERDUE: [0, "warn", "{handler} in phase {phase} still runs {seconds} s after its time limit; end the work when req.signal is aborted"],
  MODTS_WORKER_NOT_READY: [0, "error", "new worker of pool {pool} did not become ready ({reason}); existing workers keep serving"],
  MODTS_BACKLOG_FULL: [0, "error", "pool {pool} is overloaded: {limit} connections queued, new ones are closed"],
  MODTS_ALREADY_RUNNING: [0, "crit", "supervisor {pid} already uses {directory}"],
  MODTS_NOT_RUNNING: [0, "error", "no supervisor is running for {directory}"],
  MODTS_RELOAD_REFUSED: [0, "error", "reload rejected: {reason}; the running configuration stays. Restart the sidecar if the change is intended"],
  MODTS_RELOAD_FAILED: [0, "error", "the sidecar of {run} did not reload or upgrade: {reason}"],
  MODTS_OTHER_DIRECTORY: [0, "error", "the sidecar of {run} serves {actual}, not {asked}"],
  MODTS_UPGRADE_REFUSED: [0, "error", "upgrade refused, this process keeps serving: {reason}"],
  MODTS_UPGRADE_FAILED: [0, "error", "the successor does not serve ({reason}); this process keeps serving. The log has its messages"],
  MODTS_RESTART_NEEDED: [0, "warn", "changes of {settings} need mod-ts upgrade, those of run a restart"],
  MODTS_LOG_FILE: [0, "error", "log file {file} cannot be opened: {reason}; lines are written to standard error"],
  MODTS_FILES_REMOVED: [0, "crit", "{file} was removed while the sidecar was running: {loss}; restart the sidecar"],
  MODTS_RUN_DIRECTORY: [0, "crit", "cannot use run directory {directory}: {reason}"],
} as const satisfies Record<string, readonly [number, LogLevel, string]>;

export type ErrorCode = keyof typeof table;

/** Parts of mod_ts that log, each with the first code of its group in the table. */
const rooms = {
  gateway: "MODTS_CONTEXT_MISSING",
  authorizer: "MODTS_FCGI_PROTOCOL",
  engine: "MODTS_NO_HANDLER",
  request: "MODTS_HEADERS_SENT",
  sessions: "MODTS_SESSION_STORE",
  handlers: "MODTS_BAD_OPTION",
  cgi: "MODTS_CGI_NPH",
  origin: "MODTS_ORIGIN_UNSET",
  loader: "MODTS_BUILD_FAILED",
  supervisor: "MODTS_CONFIG_INVALID",
} as const satisfies Record<string, ErrorCode>;

export type LogRoom = keyof typeof rooms;

export const logRooms = Object.keys(rooms) as readonly LogRoom[];

/** The part of mod_ts that an error code belongs to; undefined for an unknown code. */
export function roomOf(code: string): LogRoom | undefined {
  const codes = Object.keys(table);
  const at = codes.indexOf(code);
  return at < 0 ? undefined : logRooms.findLast((room) => codes.indexOf(rooms[room]) <= at);
}

/** For tests of the documentation. */
export const errorRegistry: Readonly<Record<string, ErrorEntry>> = Object.fromEntries(
  Object.entries(table).map(([code, [status, level, message]]) => [
    code,
    { status, level, message },
  ]),
);

/** An error with a code from the registry. The client gets `status`; the message is only logged. */
export class ModTsError extends Error {
  override readonly name = "ModTsError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly level: LogLevel;

  /** @param parameters of the message; a text is the parameter `reason` */
  constructor(
    code: ErrorCode,
    parameters: Record<string, string | number> | string = {},
    options?: ErrorOptions,
  ) {
    const [status, level, message] = table[code];
    const values = typeof parameters === "string" ? { reason: parameters } : parameters;
    const fill = (match: string, name: string): string =>
      String((values as Record<string, string | number>)[name] ?? match);
    super(message.replace(/\{(\w+)\}/g, fill), options);
    this.code = code;
    this.status = status;
    this.level = level;
  }
}

/** Logs an error of the registry. */
export function report(
  { level, message, code }: ModTsError,
  details: Omit<LogRecord, "level" | "message" | "code"> = {},
): void {
  log(level, message, { code, ...details });
}

/** For a request whose context is not the one that Apache has just written. */
export function invalidContext(reason: string): ModTsError {
  return new ModTsError("MODTS_CONTEXT_INVALID", reason);
}

/** `MODTS_BAD_ARGUMENT`; `name` is the function or value in the terms of a handler's author. */
export function badArgument(name: string, reason: string, options?: ErrorOptions): ModTsError {
  return new ModTsError("MODTS_BAD_ARGUMENT", { name, reason }, options);
}

/** A value for error messages. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "object") {
    return `an object (${value.constructor?.name ?? "null prototype"})`;
  }
  return typeof value === "function" ? "a function" : String(value);
}

/** By name and code, not `instanceof`: a handler may load a second copy of this package. */
export function isModTsError(value: unknown): value is ModTsError {
  return (
    value instanceof Error &&
    value.name === "ModTsError" &&
    Object.hasOwn(table, String(Reflect.get(value, "code")))
  );
}
