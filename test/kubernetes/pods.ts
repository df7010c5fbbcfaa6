/**
 * Start, probe and stop commands of the manifests, in images that are built from the Dockerfiles, without a cluster. Needs the
 * rights of root to make namespaces.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, cpSync, existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type Builder, openBuilder } from "../fixtures/images.ts";
import { handlers, layOutPods, type Pods } from "../fixtures/pods.ts";
import type { Sandbox } from "../fixtures/sandbox.ts";
import type { Stack } from "../fixtures/stack.ts";

t.setTimeout(600_000);

const opened = await openBuilder();
const skip = typeof opened === "string" ? { skip: opened } : {};

/** The images, with a handler that says in which kind of pod it ran. */
function open(): { sandbox: Sandbox; builder: Builder } {
  if (typeof opened === "string") throw new Error(opened);
  const { context, sandbox } = opened;
  const folder = join(context, handlers);
  if (existsSync(folder)) return { sandbox, builder: opened };
  cpSync(join(context, "examples"), folder, { recursive: true });
  writeFileSync(
    join(folder, "where.ts"),
    `import { OK, type ApacheRequest } from "mod-ts";
export function handler(req: ApacheRequest) {
  req.write(process.env["MOD_TS_LISTEN_PORT"] ? "content" : "pod of Apache");
  return OK;
}
`,
  );
  const section = `<Location "/where">\nUse TsHandler where.ts\n</Location>\n`;
  appendFileSync(join(folder, "apache.conf"), section);
  return { sandbox, builder: opened };
}

/** Runs a program of Node on the network of the pods. */
function runBeside({ enter }: Sandbox, program: string, ...words: string[]): ChildProcess {
  const [nsenter = "", ...rest] = enter("own");
  const node = [process.execPath, "--input-type=module", "-e", program, ...words];
  return spawn(nsenter, [...rest, ...node], { stdio: ["pipe", "pipe", "inherit"] });
}

/** Four clients that ask again and again until standard input ends, then print how many requests had which status. */
const load = `import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
const counts = {};
let isOver = false;
process.stdin.resume().once("end", () => (isOver = true));
const ask = () => new Promise((resolve) => {
  request(process.argv[1], { agent: false, timeout: 60_000 }, (response) => {
    response.resume().once("end", () => resolve(response.statusCode)).once("error", () => resolve("cut"));
  }).once("error", (error) => resolve(error.code)).once("timeout", () => resolve("no answer")).end();
});
console.log("begins");
await Promise.all(Array.from({ length: 4 }, async () => {
  while (!isOver) { const status = await ask(); await sleep(20); counts[status] = (counts[status] ?? 0) + 1; }
}));
console.log(JSON.stringify(counts));`;

/** What kube-proxy does for a service: each new connection goes to one of the endpoints, which a file lists. */
const service = `import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
const [, address, port, endpoints] = process.argv;
let next = 0;
createServer((client) => {
  const hosts = readFileSync(endpoints, "utf8").split(" ");
  const pod = connect(Number(port), hosts[(next += 1) % hosts.length]);
  client.pipe(pod).pipe(client);
  client.on("error", () => pod.destroy());
  pod.on("error", () => client.resetAndDestroy());
}).listen(port, address, () => console.log("listens"));`;

/** A service of the cluster; returns what sets its endpoints. */
async function startService(
  t: Test,
  inside: Sandbox,
  address: string,
  port: number,
): Promise<(...hosts: string[]) => void> {
  const name = `endpoints-${address}`;
  const child = runBeside(inside, service, address, `${port}`, join(inside.folder, name));
  t.teardown(() => child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  const file = join(inside.outside, name);
  return (...hosts) => {
    // Replaced as a whole: it is read at each connection.
    writeFileSync(`${file}.new`, hosts.join(" "));
    renameSync(`${file}.new`, file);
  };
}

async function startLoad(t: Test, inside: Sandbox, url: string): Promise<ChildProcess> {
  const child = runBeside(inside, load, url);
  t.teardown(() => child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  return child;
}

async function countsOf(child: ChildProcess): Promise<Record<string, number>> {
  child.stdin?.end();
  const [text] = (await once(child.stdout!, "data")) as [Buffer];
  return JSON.parse(String(text)) as Record<string, number>;
}

/** As the kubelet ends a container: its command first, then the signal of the image. */
async function terminate(
  { stack, preStop }: Pods,
  name: string,
  signal: NodeJS.Signals = "SIGTERM",
): Promise<number | null> {
  const words = preStop(name);
  if (words.length > 0) {
    const { status, output } = stack.exec(name, words);
    if (status !== 0) throw new Error(`preStop of ${name}: ${output}`);
  }
  return stack.stop(name, signal);
}

const where = (stack: Stack): unknown => {
  const { status, body } = stack.ask("/where");
  return status === 200 ? body : status;
};

t.test("one pod: Apache and sidecar over a socket", skip, async (t) => {
  const { sandbox: inside, builder } = open();
  const network = "172.29.70";
  const pods = layOutPods(inside, builder, "one-pod", { count: { apache: 2 }, network });
  const { stack } = pods;
  t.teardown(() => stack.stopAll());
  const [one = "", two = ""] = ["200", "202"].map((host) => `${network}.${host}`);
  await stack.up("apache-1", "apache-1-apache", "apache-2", "apache-2-apache");
  t.equal(where(stack), "pod of Apache");
  t.equal(probe(inside, `http://${one}:9701/`), 0, "access control is for this pod alone");
  const setEndpoints = await startService(t, inside, `${network}.1`, 8080);
  setEndpoints(one, two);
  const child = await startLoad(t, inside, `http://${network}.1:8080/where`);
  setEndpoints(two);
  // A sidecar container ends after the others.
  t.equal(await terminate(pods, "apache-1-apache", "SIGWINCH"), 0);
  t.equal(await terminate(pods, "apache-1"), 0);
  const counts = await countsOf(child);
  t.same(Object.keys(counts), ["200"], JSON.stringify(counts));
});

t.test("separate: content is updated without a failed request", skip, async (t) => {
  const { sandbox: inside, builder } = open();
  const network = "172.29.71";
  const hosts = [`content:${network}.1`];
  const pods = layOutPods(inside, builder, "separate", { count: { content: 2 }, network, hosts });
  const { stack } = pods;
  t.teardown(() => stack.stopAll());
  const [one = "", two = ""] = ["202", "203"].map((host) => `${network}.${host}`);
  const setEndpoints = await startService(t, inside, `${network}.1`, 9700);
  setEndpoints(one, two);
  await stack.up("content-1", "content-2", "apache-1", "apache-1-apache");
  t.equal(where(stack), "content");
  t.equal(probe(inside, `http://${one}:9700/.mod-ts/health/ready`), 200);
  t.equal(probe(inside, `http://${one}:9700/.mod-ts/health/live`), 200);
  t.equal(probe(inside, `http://${one}:9700/where`), 403, "without the secret there is no content");

  const child = await startLoad(t, inside, `http://${network}.200:8080/where`);
  setEndpoints(two);
  t.equal(await terminate(pods, "content-1"), 0);
  await stack.up("content-1");
  setEndpoints(one);
  t.equal(await terminate(pods, "content-2"), 0);
  const counts = await countsOf(child);
  t.same(Object.keys(counts), ["200"], JSON.stringify(counts));
  t.equal(await terminate(pods, "apache-1-apache", "SIGWINCH"), 0);
});

/** The status that the kubelet sees, or 0 where nothing listens. */
function probe({ enter }: Sandbox, url: string): number {
  const program = `fetch(process.argv[1]).then(({ status }) => console.log(status))`;
  const [nsenter = "", ...rest] = enter("own");
  const { stdout } = spawnSync(nsenter, [...rest, process.execPath, "-e", program, url], {
    encoding: "utf8",
  });
  return Number(stdout);
}
