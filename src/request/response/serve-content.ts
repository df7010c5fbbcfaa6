/**
 * Sends a whole resource like httpd: with validators, conditional requests and ranges, for caches,
 * resumed downloads and media players. RFC 9110, sections 13 and 14.
 */
import { createHash } from "node:crypto";
import { OK, type Outcome } from "../../base/outcome.ts";
import { fileEtag, parseRange, quoteEtag, rangeApplies } from "./conditions.ts";
import { FileInfo } from "../file-info.ts";
import type { HeaderTable } from "../headers.ts";
import type { RequestFacts } from "../request-facts.ts";

/** Properties of the resource; missing ones are determined. */
export interface ContentOptions {
  /** Media type. @default `req.contentType`, else `application/octet-stream` */
  readonly contentType?: string;
  /** `ETag`, quoted if needed; a header that is set takes precedence. */
  readonly etag?: string;
  /** Modification time, seconds since 1970. */
  readonly mtime?: number;
}

/** The part of `ApacheRequest` that is used here. */
interface ContentRequest extends RequestFacts {
  status: number;
  contentType: string | null;
  readonly headersOut: HeaderTable;
  readonly errHeadersOut: HeaderTable;
  write(data: Uint8Array): boolean;
  sendFile(path: string, offset: number, length: number): Promise<number>;
  setContentLength(length: number): void;
  updateMtime(mtime: number): void;
  setLastModified(): void;
  meetsConditions(): Outcome;
}

interface Content {
  /** Bytes. */
  readonly size: number;
  readonly etag: () => string | undefined;
  send(offset: number, length: number): Promise<unknown> | void;
}

/** With an unknown type the browser must not guess. */
const defaultType = "application/octet-stream";

export async function serveFile(
  req: ContentRequest,
  path: string,
  options: ContentOptions,
): Promise<Outcome> {
  const info = path === req.filename ? req.finfo : new FileInfo(path);
  if (info.filetype !== "regular") return 404;
  const content: Content = {
    size: info.size ?? 0,
    etag: () => fileEtag(info, req.requestTime),
    send: (offset, length) => req.sendFile(path, offset, length),
  };
  return serve(req, content, { mtime: info.mtime ?? 0, ...options });
}

export async function serveContent(
  req: ContentRequest,
  data: string | Uint8Array,
  options: ContentOptions,
): Promise<Outcome> {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  return serve(
    req,
    {
      size: bytes.length,
      etag: () => createHash("sha256").update(bytes).digest("base64url").slice(0, 27),
      send(offset, length) {
        req.setContentLength(length);
        if (!req.headerOnly) req.write(bytes.subarray(offset, offset + length));
      },
    },
    options,
  );
}

async function serve(
  req: ContentRequest,
  content: Content,
  options: ContentOptions,
): Promise<Outcome> {
  describe(req, content, options);
  const outcome = req.meetsConditions();
  if (outcome !== OK) return outcome;
  const { size } = content;
  const range = wantedRange(req, size);
  if (range === "unsatisfiable") {
    // For a better range (section 15.5.17).
    req.errHeadersOut.set("Content-Range", `bytes */${size}`);
    return 416;
  }
  const { offset, length } = range ?? { offset: 0, length: size };
  if (range) {
    req.status = 206;
    req.headersOut.set("Content-Range", `bytes ${offset}-${offset + length - 1}/${size}`);
  }
  await content.send(offset, length);
  return OK;
}

function describe(req: ContentRequest, content: Content, options: ContentOptions): void {
  const { headersOut } = req;
  if (!headersOut.has("Content-Type")) {
    req.contentType = options.contentType ?? (req.contentType || defaultType);
  }
  headersOut.setDefault("Accept-Ranges", "bytes");
  req.updateMtime(options.mtime ?? 0);
  req.setLastModified();
  if (headersOut.has("ETag")) return;
  const etag = options.etag ?? content.etag();
  if (etag !== undefined) headersOut.set("ETag", quoteEtag(etag));
}

/** Ranges apply to GET and a complete resource (section 14.2); httpd includes HEAD. */
function wantedRange(req: ContentRequest, size: number): ReturnType<typeof parseRange> {
  const { headersIn, headersOut } = req;
  const isRead = req.method === "GET" || req.headerOnly;
  if (!isRead || req.status !== 200) return undefined;
  const validators = {
    etag: headersOut.get("ETag"),
    lastModified: headersOut.get("Last-Modified"),
  };
  const applies = rangeApplies(headersIn.get("If-Range"), validators);
  return applies ? parseRange(headersIn.get("Range"), size) : undefined;
}
