/**
 * Files of `src/` that one warm request enters, with the functions that run in each: `npm run bench:files`.
 *
 * A hello through the gateway and a check through the authorizer, counted by V8's precise coverage in
 * this process. It fails when either enters more files than the limit.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Session, type Profiler } from "node:inspector/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { type Pairs, writePairs } from "../src/authorizer/fastcgi.ts";
import * as record from "../src/authorizer/fastcgi.ts";
import { writeBeginRequest } from "../test/fixtures/fcgi-client.ts";
import { resolveConfig } from "../src/config/config.ts";
import { createParts } from "../src/worker.ts";
import { sealPairs } from "../test/fixtures/sealed.ts";
import { contextHeader } from "../test/fixtures/context-header.ts";

const limits = { hello: 16, check: 18 };
const source = pathToFileURL(join(import.meta.dirname, "../src/")).href;
const directory = mkdtempSync(join(tmpdir(), "mts-"));
const handlers = {
  "hello.ts": `export function handler(req) { req.contentType = "text/plain"; req.write("Hello"); return 0; }`,
  "check.ts": `export function accessHandler(req) { return req.uri === "/a" ? 0 : 403; }`,
};
for (const [name, text] of Object.entries(handlers)) writeFileSync(join(directory, name), text);
const config = resolveConfig({ run: "run" }, join(directory, "mod-ts.config.json"));
const parts = await createParts({ config, pool: "main", generation: 1 });
const client = await connectTo((socket) => parts.gateway.accept(socket));

const hello = Buffer.from(
  [
    "GET / HTTP/1.1",
    "Host: localhost",
    `Mod-Ts-Context: ${contextHeader({})}`,
    "Mod-Ts-Config: handler hello.ts",
    "\r\n",
  ].join("\r\n"),
);
const question: Pairs = sealPairs([["SCRIPT_FILENAME", "/srv/a"]], {
  policy: ["ask", "access check.ts"],
});
const check = Buffer.concat([
  writeBeginRequest(1, { role: record.FCGI_AUTHORIZER, keepConnection: false }),
  record.writeStream(record.FCGI_PARAMS, 1, writePairs(question)),
]);

const session = new Session();
session.connect();
await session.post("Profiler.enable");
let failed = false;
failed = (await report("hello", /^HTTP\/1\.1 200/, () => askGateway())) || failed;
failed = (await report("check", /Status: 200/, () => askAuthorizer())) || failed;
client.destroy();
await parts.close();
rmSync(directory, { recursive: true });
process.exitCode = failed ? 1 : 0;

/** Prints the table of one kind of request; returns whether it enters too many files. */
async function report(
  name: keyof typeof limits,
  expected: RegExp,
  ask: () => Promise<string>,
): Promise<boolean> {
  for (let round = 0; round < 5; round++) await ask();
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  await session.post("Profiler.takePreciseCoverage");
  const answer = await ask();
  const { result } = await session.post("Profiler.takePreciseCoverage");
  await session.post("Profiler.stopPreciseCoverage");
  if (!expected.test(answer)) throw new Error(`unexpected answer: ${answer}`);
  const files = result.filter(({ url }) => url.startsWith(source)).map(toRow);
  const entered = files.filter(({ functions }) => functions > 0);
  const functions = entered.reduce((sum, file) => sum + file.functions, 0);
  console.log(`${name}: ${entered.length} files (limit ${limits[name]}), ${functions} functions`);
  console.table(entered.toSorted((one, other) => one.file.localeCompare(other.file)));
  return entered.length > limits[name];
}

function toRow({ url, functions }: Profiler.ScriptCoverage): { file: string; functions: number } {
  const ran = functions.filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0);
  return { file: relative(source, url), functions: ran.length };
}

/** A connected client of a server that hands its connections over. */
async function connectTo(accept: (socket: Socket) => void): Promise<Socket> {
  const server = createServer(accept).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const socket = connect(address.port, "127.0.0.1");
  await once(socket, "connect");
  server.close();
  return socket;
}

/** Sends a request on the connection that is kept, and waits for its response, which is one packet. */
async function askGateway(): Promise<string> {
  client.write(hello);
  const [bytes] = (await once(client, "data")) as [Buffer];
  await settled();
  return bytes.toString();
}

async function askAuthorizer(): Promise<string> {
  const socket = await connectTo((peer) => parts.authorizer.accept(peer));
  socket.write(check);
  let text = "";
  for await (const bytes of socket) text += String(bytes);
  await settled();
  return text;
}

/** What runs after the response belongs to the request. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
