/** The public names: whoever changes this list changes what users' handlers may import. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import * as face from "../src/index.ts";

const values = [
  "CookieKeys",
  "DECLINED",
  "DONE",
  "HeaderTable",
  "HttpError",
  "OK",
  "Page",
  "REMOTE_DOUBLE_REV",
  "REMOTE_HOST",
  "REMOTE_NAME",
  "REMOTE_NOLOOKUP",
  "chunkFilter",
  "encryptedCookie",
  "escapeHtml",
  "fetchOrigin",
  "htmlFilter",
  "isHttpStatus",
  "published",
  "reasonPhrase",
  "redirect",
  "signedCookie",
  "streamFilter",
  "textFilter",
];

const types = [
  "Access",
  "ApacheConnection",
  "ApacheRequest",
  "ApacheServer",
  "ApplicationContext",
  "ApplicationEnv",
  "Auth",
  "ChunkChange",
  "Connection",
  "ConnectionHandler",
  "ContentOptions",
  "CookieAttributes",
  "CookieStatus",
  "Cookies",
  "FileInfo",
  "Filter",
  "FilteredMessage",
  "Form",
  "FormLimits",
  "FormOptions",
  "FormValue",
  "Handler",
  "HandlerResult",
  "HtmlElement",
  "HtmlInsertion",
  "HtmlRules",
  "HttpErrorOptions",
  "InternalRedirectOptions",
  "Job",
  "JobContext",
  "JsonSchema",
  "MainRequest",
  "OnFile",
  "Outcome",
  "PageRendering",
  "PageTools",
  "ParametersSchema",
  "ParsedUri",
  "PhaseName",
  "PreviousRequest",
  "ProtectedCookie",
  "ProtectedCookieOptions",
  "PublishedFunction",
  "RedirectOptions",
  "RequestHandler",
  "RequestState",
  "Session",
  "SessionData",
  "SessionOptions",
  "StandardIssue",
  "StandardResult",
  "StandardSchema",
  "SubRequest",
  "TextChange",
  "TextFilterOptions",
  "Upload",
  "UploadHead",
  "WebSocketHandler",
];

t.test("values, but for the numbers of methods and statuses", async (t) => {
  const own = Object.keys(face).filter((name) => !/^(?:M|HTTP)_[A-Z_]+$/.test(name));
  t.strictSame(own.toSorted(), values);
});

t.test("types", async (t) => {
  const source = readFileSync(join(import.meta.dirname, "../src/index.ts"), "utf8");
  const named = [...source.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, all, list = ""]) =>
    list
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "" && (all || name.startsWith("type ")))
      .map((name) => name.replace(/^type /, "")),
  );
  t.strictSame(named.toSorted(), types);
});

t.test("a few numbers of each family, so that a family does not vanish", async (t) => {
  t.match(face, { M_GET: 0, M_POST: 2, M_INVALID: 26, HTTP_OK: 200, HTTP_NOT_FOUND: 404 });
});
