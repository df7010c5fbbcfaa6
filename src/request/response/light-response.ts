/**
 * The `Response` of handlers: it remembers a whole body and is sent in one piece. That of Node.js
 * copies each body into a stream, which costs more than the rest of a request. Whatever needs the
 * stream, such as `response.body` or `response.text()`, gets a real one, made then.
 */
import { markAsUncloneable } from "node:worker_threads";
import { type Block, copyToBlock } from "./blocks.ts";

/** A body that needs no stream; null: none. */
export type WholeBody = string | Block | null;

type Init = ConstructorParameters<typeof Response>;

interface Body {
  readonly whole: WholeBody;
  /** Media type, unless the headers name one. */
  readonly type?: string;
}

interface Head {
  readonly status: number;
  readonly statusText: string;
  readonly headers: ResponseInit["headers"];
}

/** That of Node.js, which loads it at first use: 40 ms and 17 MB. */
let Real: typeof Response;

/**
 * Whether responses with this status have no body: "null body status" of the Fetch Standard, and
 * RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5.
 */
export function isNullBodyStatus(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

export class LightResponse implements Response {
  /** Until {@link #real} has it, or it was sent. */
  #whole: WholeBody | undefined;
  #real: Response | undefined;
  readonly #status: number;
  readonly #statusText: string;
  #headers: Headers | undefined;
  /** Not in the headers yet. */
  #type: string | undefined;

  constructor(body?: Init[0], init?: ResponseInit | null) {
    markAsUncloneable(this);
    const head = headOf(init);
    const light = head && bodyOf(body, head.status);
    if (!light) {
      // The real one validates unusual or invalid arguments, and streams.
      const real = new Real(body, init ?? undefined);
      this.#real = real;
      this.#status = real.status;
      this.#statusText = real.statusText;
      this.#headers = real.headers;
      return;
    }
    this.#status = head.status;
    this.#statusText = head.statusText;
    if (head.headers !== undefined) this.#headers = new Headers(head.headers);
    this.#type = light.type;
    this.#whole = light.whole;
  }

  static error(): Response {
    return Real.error();
  }

  static redirect(...address: Parameters<typeof Response.redirect>): Response {
    return Real.redirect(...address);
  }

  static json(data: unknown, init?: ResponseInit): Response {
    const text = JSON.stringify(data) as string | undefined;
    // Not serializable.
    if (text === undefined) return Real.json(data, init);
    const response = new LightResponse(text, init);
    if (response.#whole === undefined) return Real.json(data, init);
    response.#type = "application/json";
    return response;
  }

  /** Responses of `fetch` are instances, too. */
  static [Symbol.hasInstance](this: unknown, value: unknown): boolean {
    const type = this === LightResponse ? Real : this;
    return Function.prototype[Symbol.hasInstance].call(type as () => void, value);
  }

  /**
   * Takes the body of an unread response, which then counts as read. Undefined: the body is a stream,
   * or was read before. The caller releases a block.
   */
  static takeWhole(response: Response): WholeBody | undefined {
    if (!(#whole in response)) return undefined;
    const whole = response.#whole;
    if (whole !== null) response.#whole = undefined;
    return whole;
  }

  get type(): Response["type"] {
    return "default";
  }
  get url(): string {
    return "";
  }
  get redirected(): boolean {
    return false;
  }
  get status(): number {
    return this.#status;
  }
  get statusText(): string {
    return this.#statusText;
  }
  get ok(): boolean {
    return this.#status < 300;
  }

  get headers(): Headers {
    this.#headers ??= new Headers();
    if (this.#type !== undefined && !this.#headers.has("content-type")) {
      this.#headers.set("content-type", this.#type);
    }
    this.#type = undefined;
    return this.#headers;
  }

  get body(): Response["body"] {
    return this.#whole === null ? null : this.#streamed.body;
  }
  get bodyUsed(): boolean {
    return this.#whole === undefined && this.#streamed.bodyUsed;
  }

  clone(): Response {
    const { status, statusText, headers } = this;
    const copy = new LightResponse(null, { status, statusText, headers });
    const whole = this.#whole;
    if (whole === undefined) copy.#real = this.#streamed.clone();
    copy.#whole = isBlock(whole) ? copyToBlock(whole.bytes) : whole;
    return copy;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#streamed.arrayBuffer();
  }
  async bytes(): ReturnType<Response["bytes"]> {
    return this.#streamed.bytes();
  }
  async json(): Promise<unknown> {
    return this.#streamed.json();
  }
  async text(): Promise<string> {
    return this.#streamed.text();
  }
  async blob(): Promise<Blob> {
    return this.#typed.blob();
  }
  async formData(): Promise<FormData> {
    return this.#typed.formData();
  }

  /** The body as a stream; its head is not ours. */
  get #streamed(): Response {
    return (this.#real ??= this.#makeReal());
  }

  /** For what depends on the type of the body. */
  get #typed(): Response {
    const { headers } = this;
    return new Real(this.#streamed.body, { headers });
  }

  #makeReal(): Response {
    const whole = this.#whole;
    if (whole === undefined) return usedResponse();
    const real = new Real(isBlock(whole) ? whole.bytes : whole);
    if (whole !== null) this.#whole = undefined;
    if (isBlock(whole)) whole.release?.();
    return real;
  }
}

/** Replaces the global `Response`; handlers get the light one. */
export function installLightResponse(): void {
  const own = Object.getOwnPropertyDescriptor(globalThis, "Response")!;
  Object.defineProperty(globalThis, "Response", {
    get: () => {
      const light = lightResponseOver((own.get?.call(globalThis) ?? own.value) as typeof Response);
      setGlobal(light);
      return light;
    },
    set: setGlobal,
    enumerable: false,
    configurable: true,
  });
}

function setGlobal(value: unknown): void {
  const attributes = { writable: true, enumerable: false, configurable: true };
  Object.defineProperty(globalThis, "Response", { value, ...attributes });
}

/** Makes the light one a subtype of the real one, for code that tests for the real one. */
export function lightResponseOver(real: typeof Response): typeof Response {
  Real = real;
  Object.setPrototypeOf(LightResponse.prototype, real.prototype);
  return LightResponse as unknown as typeof Response;
}

// As in Web IDL.
Object.defineProperty(LightResponse, "name", { value: "Response" });
for (const name of Object.getOwnPropertyNames(LightResponse.prototype)) {
  if (name !== "constructor") {
    Object.defineProperty(LightResponse.prototype, name, { enumerable: true });
  }
}

/** Undefined if a head is unusual or invalid. */
function headOf(init: ResponseInit | null | undefined): Head | undefined {
  if (typeof (init ?? {}) !== "object") return undefined;
  const { status = 200, statusText = "", headers } = init ?? {};
  const isUsual = Number.isInteger(status) && status >= 200 && status <= 599;
  // RFC 9112, section 4: reason-phrase.
  const isReason = typeof statusText === "string" && /^[\t\x20-\x7e\x80-\xff]*$/.test(statusText);
  return isUsual && isReason ? { status, statusText, headers } : undefined;
}

/** Undefined if a body is not whole, or invalid. */
function bodyOf(body: unknown, status: number): Body | undefined {
  if (body === undefined || body === null) return { whole: null };
  if (isNullBodyStatus(status)) return undefined;
  if (typeof body === "string") return { whole: body, type: "text/plain;charset=UTF-8" };
  if (body instanceof URLSearchParams) {
    return { whole: String(body), type: "application/x-www-form-urlencoded;charset=UTF-8" };
  }
  // A copy, as the handler may change its bytes. Empty ones may be detached.
  const isFilled = body instanceof ArrayBuffer && body.byteLength > 0;
  const bytes = isFilled ? new Uint8Array(body) : body;
  const isWhole = bytes instanceof Uint8Array && bytes.length > 0 && isOrdinary(bytes.buffer);
  return isWhole ? { whole: copyToBlock(bytes) } : undefined;
}

/** Neither shared nor resizable: only the real one accepts those. */
function isOrdinary(buffer: ArrayBufferLike): boolean {
  return buffer instanceof ArrayBuffer && !buffer.resizable;
}

function isBlock(whole: WholeBody | undefined): whole is Block {
  return typeof whole === "object" && whole !== null;
}

function usedResponse(): Response {
  const used = new Real("");
  void used.body?.cancel();
  return used;
}
