/**
 * The one error a handler author throws: it ends the request from any depth, as mod_python's `SERVER_RETURN` did.
 * @module
 */

/** What may travel with an {@link HttpError}. */
export interface HttpErrorOptions {
  /** Sent as the body instead of the standard error page. Plain text unless `headers` names another type. */
  body?: string;
  /** Response headers; they survive the error, like `req.errHeadersOut`. */
  headers?: Record<string, string | string[]>;
  /** Decorates the response in place of the outcome, as the second argument of `SERVER_RETURN` did. */
  status?: number;
  /** Kept for the log; never sent to the client. */
  cause?: unknown;
}

/**
 * Ends the request with an outcome: an HTTP status, or `OK`, `DECLINED`, `DONE`.
 *
 * @example
 * if (!article) throw new HttpError(404);
 * throw new HttpError(302, { headers: { location: "/login" } });
 */
export class HttpError extends Error {
  override readonly name = "HttpError";
  /** The outcome: `OK`, `DECLINED`, `DONE` or an HTTP status code. */
  readonly outcome: number;
  readonly status: number | undefined;
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string | string[]>>;

  constructor(outcome: number, options: HttpErrorOptions = {}) {
    super(
      options.body ?? `outcome ${outcome}`,
      "cause" in options ? { cause: options.cause } : undefined,
    );
    this.outcome = outcome;
    this.status = options.status;
    this.body = options.body;
    this.headers = options.headers ?? {};
  }
}

/**
 * Recognised by name, not by `instanceof`: a handler module may carry a second copy of this package.
 */
export function isHttpError(value: unknown): value is HttpError {
  return (
    value instanceof Error &&
    value.name === "HttpError" &&
    Number.isInteger(Reflect.get(value, "outcome"))
  );
}
