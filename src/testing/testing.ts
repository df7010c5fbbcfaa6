/**
 * Tests of handlers without Apache: `mod-ts/testing`.
 *
 * The handlers run in the real engine, loaded as the sidecar loads them; what Apache would say
 * about the request is an argument. Works in every test runner.
 * @module mod-ts/testing
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { openLog } from "../base/log-output.ts";
import { loadConfig } from "../config/config-file.ts";
import type { Config } from "../config/config.ts";
import type { PhaseName } from "../engine/handler.ts";
import { HeaderTable } from "../request/headers.ts";
import { serveSingleRequest, type SingleResponse } from "./single-request.ts";

/** What Apache would say about a request, beside the request itself. */
export interface RequestOptions extends RequestInit {
  /** Path or absolute URL. @default "/" */
  url?: string;
  /** The user that Apache has authenticated. @default nobody */
  user?: string;
  /** `Use TsOption key value`, as `req.getOptions()` returns them. */
  options?: Readonly<Record<string, string>>;
  /** `Use TsDebug On`: error responses show their cause. @default false */
  debug?: boolean;
}

/** The handlers of a directory, open for requests. */
export interface Handlers extends AsyncDisposable {
  /**
   * Sends a request and resolves with the response as soon as it has begun. An error of the handler
   * is a response with its status, and a line on standard error.
   *
   * @param handler as in the Apache configuration, e.g. `hello.ts`, `hello.ts::name`,
   *   `mod_ts/publisher`, `pages/index.tsp`; or lists by phase, e.g. `{ authen: "users.ts" }`.
   *   Without a content handler, an empty 200 means that access control let the request pass.
   *
   * @example
   *     const response = await handlers.request("hello.ts", { url: "/hello", user: "ann" });
   *     assert.equal(await response.text(), "Hello, ann!\n");
   */
  request(
    handler: string | Partial<Record<PhaseName, string>>,
    options?: RequestOptions,
  ): Promise<Response>;
  /** Waits for requests that run; ends sessions, watchers and databases. */
  close(): Promise<void>;
}

/**
 * Opens the handlers of a directory with its `mod-ts.config.ts`, if there is one. Sessions and
 * other files of the sidecar are in a temporary directory.
 *
 * The loader needs `node --experimental-vm-modules`; most test runners take it from `NODE_OPTIONS`.
 *
 * @param directory of the configuration, from which handlers are named
 * @param overrides take precedence over the configuration
 * @throws ModTsError `MODTS_NODE_FLAG_MISSING` without the flag; otherwise like `mod-ts start`
 *
 * @example
 *     import { test } from "node:test";
 *     import { openHandlers } from "mod-ts/testing";
 *
 *     test("hello", async () => {
 *       await using handlers = await openHandlers(import.meta.dirname);
 *       const response = await handlers.request("hello.ts");
 *       assert.equal(await response.text(), "Hello from mod_ts!\n");
 *     });
 */
export async function openHandlers(directory: string, overrides: Config = {}): Promise<Handlers> {
  const { createParts } = await import("../worker.ts");
  const run = mkdtempSync(join(tmpdir(), "mod-ts-test-"));
  const config = await loadConfig(directory, {
    log: { level: "warn" },
    run,
    state: run,
    ...overrides,
  });
  const output = await openLog(config.log, { room: "handlers" });
  const parts = await createParts({ config, pool: "main", generation: 1 });
  const running = new Set<Promise<void>>();
  const close = async (): Promise<void> => {
    await Promise.all(running);
    await parts.close();
    output.close();
    rmSync(run, { recursive: true, force: true });
  };
  return {
    request: async (
      handler,
      { url = "/", user = "", options = {}, debug = false, ...init } = {},
    ) => {
      const request = new Request(new URL(url, "http://localhost"), init);
      const body = request.body ? new Uint8Array(await request.arrayBuffer()) : undefined;
      const headers = [...request.headers].flat();
      if (body) headers.push("Content-Length", String(body.length));
      const { response, ended } = serveSingleRequest(parts, config, {
        handlers: typeof handler === "string" ? { handler } : handler,
        method: request.method,
        url: new URL(request.url),
        headers,
        body,
        options: Object.entries(options),
        user,
        debug,
      });
      running.add(ended);
      void ended.then(() => running.delete(ended));
      return toWeb(await response);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function toWeb({ status, reason, headers, body }: SingleResponse): Response {
  const init = { status, statusText: reason, headers: [...HeaderTable.fromRaw(headers)] };
  return new Response(isBodiless(status) ? null : (Readable.toWeb(body) as ReadableStream), init);
}

/** Statuses for which the Fetch Standard allows no body. */
function isBodiless(status: number): boolean {
  return [101, 103, 204, 205, 304].includes(status);
}
