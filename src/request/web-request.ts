/**
 * From our request object to the web-standard one.
 * @module
 */
import { Readable } from "node:stream";
import type { BodyReader } from "./body.ts";
import type { RequestFacts } from "./request-facts.ts";

/**
 * Makes a `Request` that holds the body from then on. CONNECT and TRACE, which `fetch` forbids, throw a `TypeError`.
 * `path` is the path and the query of its URL, as sent unless told.
 */
export function toWebRequest(
  req: RequestFacts,
  body: BodyReader,
  path: string = req.unparsedUri,
): Request {
  const hasBody = body.announced && req.method !== "GET" && req.method !== "HEAD";
  return new Request(req.constructUrl(path), {
    method: req.method,
    headers: [...req.headersIn],
    signal: req.signal,
    ...(hasBody && {
      body: Readable.toWeb(body.claim("req.toRequest()")) as ReadableStream,
      duplex: "half",
    }),
  });
}
