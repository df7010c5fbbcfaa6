/**
 * From our request object to the web-standard one.
 * @module
 */
import { Readable } from "node:stream";
import type { BodyReader } from "./body.ts";
import type { RequestFacts } from "./request-facts.ts";

/** Makes a `Request` that holds the body from then on. CONNECT and TRACE, which `fetch` forbids, throw a `TypeError`. */
export function toWebRequest(req: RequestFacts, body: BodyReader): Request {
  const hasBody = body.announced && req.method !== "GET" && req.method !== "HEAD";
  return new Request(req.constructUrl(req.unparsedUri), {
    method: req.method,
    headers: [...req.headersIn],
    signal: req.signal,
    ...(hasBody && {
      body: Readable.toWeb(body.claim("req.toRequest()")) as ReadableStream,
      duplex: "half",
    }),
  });
}
