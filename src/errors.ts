/**
 * The registry of errors: one code per cause, never reused. `docs/errors.md` describes each, and a test holds the two equal.
 * @module
 */
import { builtInErrors } from "./built-in-errors.ts";
import type { LogLevel } from "./log.ts";

interface ErrorEntry {
  /** HTTP status the client gets; 0 where no client is involved. */
  status: number;
  level: LogLevel;
  /** `{name}` is replaced by the parameter of that name. */
  message: string;
}

const registry = {
  // Trust and context (gateway)
  MODTS_CONTEXT_MISSING: {
    status: 403,
    level: "error",
    message: "request refused: it carries no context from Apache ({reason})",
  },
  MODTS_CONTEXT_INVALID: {
    status: 403,
    level: "error",
    message:
      "request refused: its context is not one that apache-conf/mod_ts.conf writes ({reason})",
  },
  MODTS_SECRET_WRONG: {
    status: 403,
    level: "error",
    message: "request refused: the shared secret is missing or wrong",
  },
  MODTS_BAD_URL: { status: 400, level: "info", message: "malformed URL: {reason}" },
  MODTS_HEADERS_TOO_LARGE: {
    status: 431,
    level: "warn",
    message: "request header block over the limit",
  },
  MODTS_BAD_REQUEST: { status: 400, level: "warn", message: "malformed HTTP request: {reason}" },
  MODTS_UNKNOWN_METHOD: {
    status: 501,
    level: "info",
    message: "request method {method} is none that Node can read",
  },
  MODTS_BODY_TOO_LARGE: {
    status: 413,
    level: "warn",
    message: "request body over the limit of {limit} bytes",
  },
  MODTS_BODY_ABORTED: {
    status: 400,
    level: "info",
    message: "the client went away before its request body was complete",
  },
  MODTS_BODY_USED: {
    status: 500,
    level: "error",
    message: "the request body can be read only once: {first} has it already",
  },
  MODTS_WEBSOCKET_ORIGIN: {
    status: 403,
    level: "notice",
    message:
      "WebSocket from a page of {origin} refused; Use TsOption mod_ts.websocket_origins to allow it",
  },
  // Authentication subrequests (authorizer)
  MODTS_FCGI_PROTOCOL: {
    status: 0,
    level: "warn",
    message: "FastCGI connection from {peer} closed: {reason}",
  },
  MODTS_AUTHORIZER_TIMEOUT: {
    status: 503,
    level: "error",
    message: "no decision within {limit} ms: the request is refused",
  },
  MODTS_NO_BODY: {
    status: 500,
    level: "error",
    message:
      "Apache sends no request body to access, authen and authz handlers of its own resources",
  },
  // Handlers (engine)
  MODTS_NO_HANDLER: {
    status: 500,
    level: "error",
    message: "no handler is named for this location; name one with: Use TsHandler file.ts",
  },
  MODTS_BAD_REFERENCE: {
    status: 500,
    level: "error",
    message:
      'handler reference "{reference}" is not of the form file.ts, file.ts::name or mod_ts/name: {reason}',
  },
  MODTS_OUTSIDE_ROOTS: {
    status: 500,
    level: "error",
    message: "handler {file} lies outside the allowed folders: {roots}",
  },
  MODTS_HANDLER_NOT_FOUND: {
    status: 500,
    level: "error",
    message: "handler file {file} does not exist (looked in {roots})",
  },
  MODTS_UNKNOWN_BUILTIN: {
    status: 500,
    level: "error",
    message: "there is no built-in handler {name}; there are: {names}",
  },
  MODTS_MISSING_EXPORT: {
    status: 500,
    level: "error",
    message: "{module} has no export named {name}",
  },
  MODTS_NOT_CALLABLE: {
    status: 500,
    level: "error",
    message: "{name} of {module} is {type}, not a function or a class",
  },
  MODTS_BAD_OUTCOME: {
    status: 500,
    level: "error",
    message:
      "{handler} gave {value} in phase {phase}; it must give OK, DECLINED, DONE or an HTTP status",
  },
  MODTS_HANDLER_FAILED: {
    status: 500,
    level: "error",
    message: "{handler} failed in phase {phase}",
  },
  MODTS_HANDLER_TIMEOUT: {
    status: 504,
    level: "error",
    message: "{handler} did not answer within {limit} ms in phase {phase}",
  },
  MODTS_AUTHEN_DECLINED: {
    status: 500,
    level: "error",
    message: "every authen handler declined, so nobody vouched for the user",
  },
  MODTS_NO_USER: {
    status: 500,
    level: "error",
    message: "authen handler {handler} said OK but did not set req.user",
  },
  MODTS_BAD_PHASE: {
    status: 500,
    level: "error",
    message: 'a handler cannot be added to phase "{phase}": {reason}',
  },
  MODTS_BAD_CONFIG_LINE: {
    status: 500,
    level: "error",
    message: 'Apache sent a configuration line that is not understood: "{line}"',
  },
  MODTS_WRONG_INTERPRETER: {
    status: 500,
    level: "error",
    message:
      "Apache asked for interpreter {asked}, but this is {actual}; check the order of Use TsInterpreter",
  },
  // Built-in handlers
  MODTS_BAD_OPTION: { status: 500, level: "error", message: "Use TsOption {name}: {reason}" },
  MODTS_PACKAGE_MISSING: {
    status: 500,
    level: "error",
    message: "{handler} needs the package {package}: npm install {package}",
  },
  MODTS_NOT_AN_APPLICATION: {
    status: 500,
    level: "error",
    message: "{module} exports {type}, not {expected}",
  },
  MODTS_NO_RESPONSE: { status: 500, level: "error", message: "the application gave no Response" },
  MODTS_APPLICATION_FAILED: {
    status: 500,
    level: "error",
    message: "{application} cannot start: {reason}",
  },
  MODTS_AUTH_SERVICE_DOWN: {
    status: 503,
    level: "error",
    message: "the authentication service {url} did not answer: {reason}",
  },
  MODTS_AUTH_SERVICE_ANSWER: {
    status: 502,
    level: "error",
    message: "the authentication service {url} gave an answer that cannot be used: {reason}",
  },
  MODTS_USERS_UNREADABLE: {
    status: 500,
    level: "error",
    message: "{file} cannot be read: {reason}",
  },
  MODTS_DATABASE_DOWN: {
    status: 503,
    level: "error",
    message: "{database} did not say who may log in: {reason}",
  },
  MODTS_DATABASE_ANSWER: {
    status: 500,
    level: "error",
    message: "the query of mod_ts/sql gave what cannot be used: {reason}",
  },
  MODTS_PASSWORDS_BUSY: {
    status: 503,
    level: "warn",
    message: "{limit} passwords wait to be checked; further ones are refused until there are fewer",
  },
  MODTS_BAD_PARAMETERS: { status: 500, level: "error", message: "parameters of {name}: {reason}" },
  MODTS_BAD_SCHEMA: { status: 500, level: "error", message: "schema of {name}: {reason}" },
  MODTS_BAD_RESULT: { status: 500, level: "error", message: "result of {name}: {reason}" },
  MODTS_BAD_PASSWORD_LIST: { status: 500, level: "error", message: "auth of {user}: {reason}" },
  MODTS_PAGE_FAILED: { status: 500, level: "error", message: "{page} failed; {file} is shown" },
  MODTS_ERROR_PAGE_FAILED: { status: 500, level: "error", message: "error page {file} failed" },
  MODTS_PAGE_CACHE: { status: 0, level: "warn", message: "page cache {folder}: {reason}" },
  ...builtInErrors,
  MODTS_UNHANDLED_REJECTION: {
    status: 0,
    level: "error",
    message: "a promise was rejected that no handler waited for",
  },
  MODTS_UNCAUGHT_EXCEPTION: {
    status: 0,
    level: "crit",
    message: "an error was thrown outside of any request, which ends the worker",
  },
  // Request object
  MODTS_HEADERS_SENT: {
    status: 500,
    level: "error",
    message: "{name} cannot change any more: the response headers have left",
  },
  MODTS_RESPONSE_ENDED: {
    status: 500,
    level: "error",
    message: "{name}: the response is complete already",
  },
  MODTS_BAD_HEADER: {
    status: 500,
    level: "error",
    message: "{name} is not a valid header: {reason}",
  },
  MODTS_CLIENT_GONE: {
    status: 400,
    level: "info",
    message: "the client went away before the response was complete",
  },
  MODTS_LENGTH_MISMATCH: {
    status: 500,
    level: "error",
    message: "the response was announced with {announced} bytes, the handler gave {actual}",
  },
  MODTS_FILE_UNREADABLE: {
    status: 500,
    level: "error",
    message: "{file} cannot be sent: {reason}",
  },
  MODTS_UPLOAD_FAILED: {
    status: 500,
    level: "error",
    message: "an uploaded file cannot be kept in {folder}: {reason}",
  },
  MODTS_BAD_COOKIE: { status: 500, level: "error", message: "cookie {name}: {reason}" },
  MODTS_BAD_ARGUMENT: { status: 500, level: "error", message: "{name}: {reason}" },
  // Sessions
  MODTS_SESSION_STORE: {
    status: 503,
    level: "error",
    message: "session store {store} failed: {reason}",
  },
  MODTS_SESSION_LOCKED: {
    status: 503,
    level: "warn",
    message:
      "the session is locked by another request for {age} s; this one gave up after {limit} s",
  },
  MODTS_SESSION_LOST: { status: 503, level: "error", message: "session cannot be saved: {reason}" },
  MODTS_SESSION_DATA: {
    status: 500,
    level: "error",
    message: "session cannot hold {path}: {reason}",
  },
  MODTS_SESSION_CORRUPT: {
    status: 0,
    level: "error",
    message: "session store {store} has a record that is no session ({reason}); a new one begins",
  },
  // Loader
  MODTS_BUILD_FAILED: { status: 500, level: "error", message: "{file} cannot be loaded: {reason}" },
  MODTS_BUILD_TIMEOUT: {
    status: 500,
    level: "error",
    message: "{file} cannot be loaded: its top level did not finish within {limit} ms",
  },
  MODTS_NODE_FLAG_MISSING: {
    status: 0,
    level: "crit",
    message: "handlers cannot be loaded: start Node with --experimental-vm-modules",
  },
  // Supervisor, configuration, command line
  MODTS_CONFIG_INVALID: { status: 0, level: "crit", message: "{file}: mistakes: {count}\n{list}" },
  MODTS_CONFIG_UNREADABLE: { status: 0, level: "crit", message: "{file} cannot be read: {reason}" },
  MODTS_RUNS_AS_ROOT: {
    status: 0,
    level: "warn",
    message: "handlers run as root; give the sidecar a user of its own",
  },
  MODTS_SECRET_REQUIRED: {
    status: 0,
    level: "crit",
    message:
      "listening on {address} needs a shared secret; set secret or secretFile in the configuration",
  },
  MODTS_LISTEN_FAILED: {
    status: 0,
    level: "crit",
    message: "cannot listen on {address}: {reason}",
  },
  MODTS_HTTPD_MISSING: { status: 0, level: "crit", message: "no Apache httpd found: {reason}" },
  MODTS_CONF_CHANGED: {
    status: 0,
    level: "crit",
    message: "{file} is there with another text; --force overwrites it",
  },
  MODTS_HTTPD_FAILED: { status: 0, level: "crit", message: "{binary} did not start: {reason}" },
  MODTS_HTTPD_MODULE: {
    status: 0,
    level: "crit",
    message: "this httpd has no module {module} (looked for {path})",
  },
  MODTS_WORKER_DIED: {
    status: 0,
    level: "error",
    message: "worker {pid} of {pool} ended ({reason})",
  },
  MODTS_WORKER_NOT_READY: {
    status: 0,
    level: "error",
    message: "a new worker of {pool} did not get ready ({reason}); the old ones go on serving",
  },
  MODTS_BACKLOG_FULL: {
    status: 0,
    level: "error",
    message:
      "{limit} connections wait for a worker of {pool}; further ones are closed until there are fewer",
  },
  MODTS_ALREADY_RUNNING: {
    status: 0,
    level: "crit",
    message: "a supervisor with process id {pid} uses {folder} already",
  },
  MODTS_NOT_RUNNING: { status: 0, level: "error", message: "no supervisor uses {folder}" },
  MODTS_RUN_FOLDER: {
    status: 0,
    level: "crit",
    message: "the runtime folder {folder} cannot be used: {reason}",
  },
} as const;

export type ErrorCode = keyof typeof registry;

/** The registry itself, for the documentation test and for tools. */
export const errorRegistry: Readonly<Record<string, ErrorEntry>> = registry;

/** An error with a code from the registry. `status` is what the client gets; the message is for the log alone. */
export class ModTsError extends Error {
  override readonly name = "ModTsError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly level: LogLevel;

  constructor(
    code: ErrorCode,
    parameters: Record<string, string | number> = {},
    options?: ErrorOptions,
  ) {
    const entry: ErrorEntry = registry[code];
    const fill = (match: string, name: string): string => String(parameters[name] ?? match);
    super(entry.message.replace(/\{(\w+)\}/g, fill), options);
    this.code = code;
    this.status = entry.status;
    this.level = entry.level;
  }
}

/** Recognised by name and code, not by `instanceof`: a handler module may carry a second copy of this package. */
export function isModTsError(value: unknown): value is ModTsError {
  return (
    value instanceof Error &&
    value.name === "ModTsError" &&
    Object.hasOwn(registry, String(Reflect.get(value, "code")))
  );
}
