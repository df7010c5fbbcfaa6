/** Advice on mistakes of authors who are used to another framework, or have forgotten an `await`. */
import { closest } from "../base/did-you-mean.ts";
import { rephrase } from "../loader/explain.ts";
import { userPosition } from "../loader/stack.ts";

/** Methods that requests or responses of other frameworks have. */
const insteadOf: Readonly<Record<string, string>> = {
  end: "the response ends with the handler; use req.write(text)",
  get: 'use req.headersIn.get("name")',
  header: "use req.headersOut.set(name, value)",
  html: "set req.contentType, and use req.write(text)",
  redirect: 'import { redirect } from "mod-ts", and return redirect(url)',
  render: "write a page, or use req.write(text)",
  send: "use req.write(text), or return new Response(text)",
  set: "use req.headersOut.set(name, value)",
  setHeader: "use req.headersOut.set(name, value)",
  status: "set req.status",
};

/** Asynchronous methods whose results have methods themselves. */
const asynchronous = "form|json|session|text|read|readLine|readLines";

/** Adds advice to the error of a call of something that is no function. */
export function adviseOnCalls(error: unknown): void {
  if (!(error instanceof TypeError)) return;
  adviseOnResponse(error);
  const [, name, method] = /^([\w$]+)\.(\w+) is not a function$/.exec(error.message) ?? [];
  if (name === undefined || method === undefined) return;
  const advice = adviceOn(name, method, userPosition(error)?.source ?? "");
  if (advice !== undefined) rephrase(error, `${error.message}; ${advice}`);
}

/** Handlers of other frameworks get a response as a second argument. */
function adviseOnResponse(error: TypeError): void {
  const [, method = ""] =
    /^Cannot read properties of undefined \(reading '(\w+)'\)$/.exec(error.message) ?? [];
  const { source = "", line = 0 } = userPosition(error) ?? {};
  const [, name] =
    new RegExp(`\\b(res|response)\\.${method}\\b`).exec(source.split("\n")[line - 1] ?? "") ?? [];
  const advice = name === undefined || method === "" ? undefined : adviceOn(name, method, "");
  if (advice === undefined) return;
  rephrase(error, `${error.message}; a handler has one argument, the request: ${advice}`);
}

/** How to send what a content handler returned, as other frameworks send it. */
export function adviceOnContent(value: unknown): string {
  if (typeof value === "string") return "; to send the text, return new Response(text)";
  if (value === true) return "; return OK";
  if (Number.isInteger(value)) return "; after await req.sendFile(…), return OK";
  const isData = typeof value === "object" && value !== null;
  return isData ? "; to send it as JSON, return Response.json(value)" : "";
}

/** What to do about a missing export: a guess, or what there is. */
export function adviceOnExport(
  { file, exports }: { file: string; exports: object },
  name: string,
): string {
  if (file.endsWith(".tsp")) return "pages are served by Use TsHandler mod_ts/pages";
  const names = Object.keys(exports);
  const near = closest(name, names);
  return near ? `did you mean ${near}?` : `it exports ${names.join(", ") || "nothing"}`;
}

/** Adds advice to the error of a server whose port is taken: by an earlier version, or a worker. */
export function adviseOnListen(error: unknown): void {
  const { code, syscall } = Object(error) as NodeJS.ErrnoException;
  if (!(error instanceof Error) || code !== "EADDRINUSE" || syscall !== "listen") return;
  rephrase(error, `${error.message}; omit listen(): Apache listens, and mod_ts passes requests on`);
}

function adviceOn(name: string, method: string, source: string): string | undefined {
  if (/^(?:req|request|res|response)$/.test(name)) {
    if (method === "json" && name.startsWith("res")) return "return Response.json(value)";
    return Object.hasOwn(insteadOf, method) ? insteadOf[method] : undefined;
  }
  const assignment = new RegExp(
    `\\b${name.replaceAll("$", "\\$")}\\b[^=;\\n]*=\\s*(\\w+\\.(?:${asynchronous}))\\(`,
  );
  const call = assignment.exec(source)?.[1];
  return call === undefined ? undefined : `${name} is a promise: write await ${call}(…)`;
}
