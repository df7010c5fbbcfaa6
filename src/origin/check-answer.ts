/**
 * Is this the answer of the Apache that we called back, and one that may be shown?
 * @module
 */
import type { IncomingMessage } from "node:http";
import { ModTsError } from "../errors.ts";
import { type ApacheRequest, internals } from "../request/request.ts";

/** What was asked. */
export interface Asked {
  readonly req: ApacheRequest;
  /** How messages name Apache. */
  readonly origin: string;
  /** Whether the answer is what Apache has without our handlers. */
  readonly isPass: boolean;
}

/** What is usually run by a handler, and holds passwords of databases when it is not. */
const programFiles = /\.(?:php\d?|phtml|phar|inc|cgi|fcgi|pl|py|rb|lua|asp|aspx|jsp)$/i;

/** Whether Apache has found a file of this kind. */
export function isProgram(req: ApacheRequest): boolean {
  return programFiles.test(req[internals].context.filename);
}

/**
 * Lets an answer pass that Apache has marked as that of a call back, in the same virtual host.
 * @throws ModTsError `MODTS_ORIGIN_REFUSED`, `MODTS_ORIGIN_HIDDEN`; the answer is given up then
 */
export function checkAnswer(answer: IncomingMessage, asked: Asked): void {
  const error = findFault(answer, asked);
  if (!error) return;
  answer.destroy();
  throw error;
}

function findFault(answer: IncomingMessage, { req, origin, isPass }: Asked): Error | undefined {
  const mark = answer.headers["mod-ts-origin"];
  const [, root, handler] = /^1;([\w+/=]*);([^,]*)$/.exec(String(mark)) ?? [];
  const { statusCode: status = 0 } = answer;
  // Attack: another program that listens on the port while Apache is down would speak to our users.
  if (root === undefined || handler === undefined) {
    const reason = `status ${status}; is it this Apache, with MOD_TS_ORIGIN and MOD_TS_SECRET as mod-ts conf writes them, mod_remoteip and no other RemoteIPHeader, and the right scheme?`;
    return new ModTsError("MODTS_ORIGIN_REFUSED", { origin, reason });
  }
  // A virtual host for one address only is not reached at another: then a stranger has answered.
  if (Buffer.from(root, "base64").toString() !== req.documentRoot()) {
    const reason = "another virtual host answered; Use TsOption mod_ts.origin.apache in this one";
    return new ModTsError("MODTS_ORIGIN_REFUSED", { origin, reason });
  }
  if (isPass && isProgram(req) && showsSource(answer, handler)) {
    return new ModTsError("MODTS_ORIGIN_HIDDEN", { file: req.filename });
  }
  return undefined;
}

/**
 * httpd's own handler for files is named like their content type, which `Header set` may have changed since, or not at all. The names of that form
 * that are those of programs, PHP's for one, begin with `application/x-`; without the module of such, the type is the same.
 *
 * Attack: `Range: bytes=0-` gives the source in a 206. An answer of several ranges does not show the type of the file.
 */
function showsSource({ statusCode, headers }: IncomingMessage, handler: string): boolean {
  if (statusCode !== 200 && statusCode !== 206) return false;
  const [type = ""] = (headers["content-type"] ?? "").split(";");
  if (["", "default-handler", type.trim()].includes(handler)) return true;
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(handler)) return false;
  return type.trim() === "multipart/byteranges" || !handler.startsWith("application/x-");
}
