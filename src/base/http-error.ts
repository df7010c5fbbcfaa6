/** The error that a handler throws to end its request, like mod_python's `SERVER_RETURN`. */

export interface HttpErrorOptions {
  /** Sent instead of the error page. Plain text unless `headers` has a `Content-Type`. */
  body?: string;
  /** Response headers; they survive the error, like `req.errHeadersOut`. */
  headers?: Record<string, string | string[]>;
  /** Decorates the response instead of the outcome, as the second argument of `SERVER_RETURN`. */
  status?: number;
  /** Kept for the log; never sent to the client. */
  cause?: unknown;
}

/**
 * Ends the request with an outcome: an HTTP status, or `OK`, `DECLINED`, `DONE`.
 *
 * @example
 * ```ts
 * if (!article) throw new HttpError(HTTP_NOT_FOUND);
 * throw new HttpError(HTTP_SEE_OTHER, { headers: { location: "/login" } });
 * ```
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

/** By name, not `instanceof`: a handler module may load a second copy of this package. */
export function isHttpError(value: unknown): value is HttpError {
  return (
    value instanceof Error &&
    value.name === "HttpError" &&
    Number.isInteger(Reflect.get(value, "outcome"))
  );
}
