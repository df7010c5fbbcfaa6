/** The script and its listener; `test/apache/refresh.ts` sees both through Apache. */
import { spawnSync } from "node:child_process";
import t from "tap";
import type { HandlerModule } from "../../../src/engine/handler.ts";
import { createRefresh, refreshPath } from "../../../src/handlers/refresh/refresh.ts";
import { type ApacheRequest, HeaderTable } from "../../../src/index.ts";
import { startEngine } from "../../fixtures/gateway.ts";

/** What each name leads to now: a generation, or an error. */
const builds = new Map<string, number | Error>();
const asked: string[] = [];
let held = 0;

function find(name: string): HandlerModule {
  asked.push(name);
  const build = builds.get(name);
  if (build instanceof Error) throw build;
  held += 1;
  return { exports: {}, file: name, generation: build ?? 0, release: () => (held -= 1) };
}

const refresh = createRefresh({ find });

function request(fields: { method?: string; dest?: string; accept?: string } = {}): ApacheRequest {
  const { method = "GET", dest, accept = "text/html,*/*;q=0.8" } = fields;
  const headersIn = new HeaderTable({
    accept,
    ...(dest !== undefined && { "sec-fetch-dest": dest }),
  });
  const documentRoot = (): string => "";
  const headerOnly = method === "HEAD";
  return { method, headerOnly, headersIn, documentRoot } as unknown as ApacheRequest;
}

/** The address that the script of a page listens to. */
function addressIn(script: string): string {
  const source = /<script async src="(.*?)"><\/script>/.exec(script)?.[1] ?? "";
  return source.replaceAll("&amp;", "&").replace("%3A%3Ascript=1&", "");
}

/** The address in the script of a page that came from these modules as they are now. */
async function addressOf(...names: string[]): Promise<string> {
  const modules = new Map(
    names.map((name) => [name, builds.get(name) instanceof Error ? undefined : find(name)]),
  );
  const script = await refresh.script(request(), modules);
  for (const module of modules.values()) module?.release();
  return addressIn(script);
}

t.test(
  "the script names the process, the modules and their builds, and cannot be closed",
  async (t) => {
    builds.set("</script>.ts", 1).set("bad.ts", new Error("</script><script>"));
    const script = await refresh.script(
      request(),
      new Map([
        ["bad.ts", undefined],
        ["</script>.ts", find("</script>.ts")],
      ]),
    );
    t.equal(script.split("</script>").length, 2);
    t.equal(script.split("<script").length, 2);
    const address = new URL(await addressOf("</script>.ts"), "http://x");
    t.equal(address.pathname, refreshPath);
    t.strictSame(
      [...address.searchParams],
      [
        ["::process", `${process.pid}`],
        ["::styles", "0"],
        ["::others", "0"],
        ["</script>.ts", "1 "],
      ],
    );
  },
);

t.test("only pages have it: not what a script fetches, not the answer to a form", async (t) => {
  builds.set("a.ts", 1);
  const modules = new Map([["a.ts", find("a.ts")]]);
  for (const fields of [{}, { dest: "document" }, { dest: "iframe" }, { method: "HEAD" }]) {
    t.match(await refresh.script(request(fields), modules), "<script ", JSON.stringify(fields));
  }
  for (const fields of [{ dest: "empty" }, { dest: "image" }, { method: "POST" }]) {
    t.equal(await refresh.script(request(fields), modules), "", JSON.stringify(fields));
  }
});

const peer = await startEngine(t, { refresh: refresh.module });

/** What a listener gets, to its end. */
async function listen(address: string): Promise<string> {
  const args = address.slice(address.indexOf("?") + 1);
  const { status, headers, body } = await peer.ask(["handler refresh"], { context: { args } });
  t.match(
    { status, ...headers },
    {
      status: 200,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": /no-cache/,
    },
  );
  return body.replace(/^retry: \d+\n\n/, "");
}

const reload = "event: reload\ndata: \n\n";

t.test("a change before, or while, a page listens", async (t) => {
  builds.set("a.ts", 1).set("b.ts", 1);
  const address = await addressOf("a.ts", "b.ts");
  builds.set("b.ts", 2);
  t.equal(await listen(address), reload, "before");
  const newer = await addressOf("a.ts", "b.ts");
  const waiting = listen(newer);
  setTimeout(() => builds.set("a.ts", new Error("broken")), 50);
  t.equal(await waiting, reload, "broken meanwhile");
  const broken = listen(await addressOf("a.ts"));
  setTimeout(() => builds.set("a.ts", 2), 50);
  t.equal(await broken, reload, "corrected meanwhile");
});

t.test(
  "a page of another process: of one that lives, ask again; of one that ended, load again",
  async (t) => {
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    t.equal(await listen(`?::process=${gone}`), reload);
    t.equal(await listen(`?::process=${process.ppid}`), "");
    for (const odd of ["", "?::process=-1", "?::process=0", "?::process=x", "?::process=1e99"]) {
      t.equal(await listen(odd), "", odd);
    }
  },
);

t.test("a stranger cannot name a file: to look at a module is to run it", async (t) => {
  builds.set("known.ts", 1);
  const address = await addressOf("known.ts");
  asked.length = 0;
  builds.set("known.ts", 2);
  t.equal(await listen(`${address}&deploy.ts=0&../up.ts=0`), reload);
  t.strictSame(asked, ["known.ts"]);
});

t.test("a stream ends by itself, so that it holds no worker that is being replaced", async (t) => {
  builds.set("a.ts", 1);
  const brief = createRefresh({ find, streamLimitMs: 10 });
  const other = await startEngine(t, { refresh: brief.module });
  const args = (await addressOf("a.ts")).split("?")[1] ?? "";
  const { body, complete } = await other.ask(["handler refresh"], { context: { args } });
  t.match({ body, complete }, { body: /^retry: \d+\n\n$/, complete: true });
});

t.test("the script of a handler's page listens for what that was made from", async (t) => {
  const script = async (args: string): Promise<URLSearchParams> => {
    const { headers, body } = await peer.ask(["handler refresh"], { context: { args } });
    t.match(headers, { "content-type": "text/javascript; charset=utf-8" });
    return new URLSearchParams(/address\.search = "(.*)";/.exec(body)?.[1]);
  };
  const ofHandler = await script("::script=1&::process=7&::styles=2&::others=3&a.ts=1");
  t.equal(`${ofHandler}`, "%3A%3Aprocess=7&%3A%3Astyles=2&%3A%3Aothers=3&a.ts=1");
  // A file that Apache serves is as new as its script.
  t.strictSame(
    [...(await script("::script=1"))],
    [
      ["::process", `${process.pid}`],
      ["::styles", "0"],
      ["::others", "0"],
    ],
  );
});

t.test("nothing is held", async (t) => {
  t.equal(held, 2, "but what the tests above found by themselves");
});
