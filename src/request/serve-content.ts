/**
 * Sends a whole resource as httpd sends a file: with validators, conditions and ranges, so that caches, resumed downloads and
 * seeking players work. RFC 9110, sections 13 (conditional requests) and 14 (ranges).
 * @module
 */
import { createHash } from "node:crypto";
import { OK, type Outcome } from "../outcome.ts";
import { fileEtag, quoteEtag } from "./conditions.ts";
import { FileInfo } from "./file-info.ts";
import { parseRange, rangeApplies } from "./range.ts";
import type { ApacheRequest } from "./request.ts";

/** What is known of the resource; what is missing is found out. */
export interface ContentOptions {
  /** Media type; until told, {@link ApacheRequest.contentType}, else `application/octet-stream`. */
  readonly contentType?: string;
  /** Value of `ETag`, quoted if need be; a header that is set already wins. */
  readonly etag?: string;
  /** When it last changed, seconds since 1970. */
  readonly mtime?: number;
}

/** A resource of which any part can be sent. */
interface Content {
  /** Bytes. */
  readonly size: number;
  readonly etag: () => string | undefined;
  send(offset: number, length: number): Promise<unknown> | void;
}

/** For a resource whose type nobody told: the browser must not guess. */
const defaultType = "application/octet-stream";

/** A file, as {@link ApacheRequest.serveFile} does. */
export async function serveFile(
  req: ApacheRequest,
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

/** Text or bytes, as {@link ApacheRequest.serveContent} does. */
export async function serveContent(
  req: ApacheRequest,
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
  req: ApacheRequest,
  content: Content,
  options: ContentOptions,
): Promise<Outcome> {
  describe(req, content, options);
  const outcome = req.meetsConditions();
  if (outcome !== OK) return outcome;
  const { size } = content;
  const range = wantedRange(req, size);
  if (range === "unsatisfiable") {
    // How long it is, for a better try (section 15.5.17).
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

function describe(req: ApacheRequest, content: Content, options: ContentOptions): void {
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

/** Ranges are defined for GET, and of a whole that is there (section 14.2); httpd answers HEAD as it would GET, so do we. */
function wantedRange(req: ApacheRequest, size: number): ReturnType<typeof parseRange> {
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
