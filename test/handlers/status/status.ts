/** The built-in, in a real engine: who sees it, and what its exports answer. */
import t from "tap";
import { createStatus } from "../../../src/handlers/status/status.ts";
import { Observations } from "../../../src/supervisor/observations.ts";
import { composeStatus, type SidecarStatus } from "../../../src/supervisor/status.ts";
import { startEngine } from "../../fixtures/gateway.ts";

let state: SidecarStatus["state"] | undefined = "ready";
const status = createStatus(async () => {
  if (state === undefined) throw new Error("gone");
  const pools: [] = [];
  const observations = new Observations();
  const facts = { pools, observations, listeners: [], generation: 1, startedAt: 0 };
  return { ...composeStatus({ ...facts, lastReload: null }), state };
});
t.teardown(() => status.close());
const peer = await startEngine(t, { status: status.module, page: { handler: () => 0 } });
const local = { remoteAddress: "127.0.0.1", args: "" };

t.test("shown to this machine only, unless the option names others", async (t) => {
  t.match(await peer.ask(["handler status"], { context: local }), { status: 200, body: /ready/ });
  t.equal((await peer.ask(["handler status"])).status, 403);
  const allow = (value: string) => ["handler status", `option mod_ts.status.allow ${value}`];
  for (const value of ["everyone", "192.0.2.7", "2001:db8::1 192.0.2.0/24"]) {
    t.equal((await peer.ask(allow(value))).status, 200, value);
  }
  t.equal((await peer.ask(allow("198.51.100.0/24"))).status, 403);
  for (const value of ["nobody", "192.0.2.0/33", "192.0.2.0/x", "everyone 192.0.2.7"]) {
    t.equal((await peer.ask(allow(value))).status, 500, value);
  }
});

t.test("formats of the page, and methods", async (t) => {
  const ask = (args: string, method = "GET") =>
    peer.ask(["handler status"], { context: { ...local, args }, method });
  t.match(JSON.parse((await ask("format=json")).body), { state: "ready" });
  t.match((await ask("format=style")).headers["content-type"], "text/css");
  t.equal((await ask("format=other")).status, 400);
  t.match((await ask("x=1")).headers["content-type"], "text/html");
  t.equal((await ask("", "POST")).status, 405);
});

t.test("live and ready, as content and as access check", async (t) => {
  for (const [given, expected] of [
    ["ready", 200],
    ["degraded", 200],
    ["down", 503],
    [undefined, 503],
  ] as const) {
    state = given;
    t.equal((await peer.ask(["handler status::ready"])).status, expected, `${given}: content`);
    t.equal((await peer.ask(["access status::ready", "handler page"])).status, expected);
    t.equal((await peer.ask(["handler status::live"])).status, 200);
    t.equal((await peer.ask(["access status::live", "handler page"])).status, 200);
  }
});
