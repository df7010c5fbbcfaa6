/** Save a file, and the very next request through Apache runs it. */
import { renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule } from "../fixtures/journal.ts";
import { logSince } from "../fixtures/log-since.ts";
import { until } from "../fixtures/until.ts";

const names = ["main", "other", "apart", "broken", "typed", "slow", "new", "renamed", "deleted"];
function main(n: number): string {
  return handlers["main.ts"].replace("main 0", `main ${n}`);
}

const conf = [
  journalConf,
  ...names.map((name) => `<Location /${name}>\nUse TsHandler ${name}.ts\n</Location>`),
  ...["a", "b"].map((name) => `<Location /${name}>\nUse TsHandler ${name}/index.ts\n</Location>`),
].join("\n");

const handlers = {
  "journal.ts": journalModule,
  "main.ts": `
    import { text } from "./helper.ts";
    import data from "./data.json" with { type: "json" };
    export const handler = (req) => { req.write("main 0 " + text + " " + data.n); };
  `,
  "helper.ts": `export const text = "helper 0";`,
  "data.json": `{ "n": 0 }`,
  // Module-level counters show which module was loaded anew.
  "other.ts": `
    import { text } from "./helper.ts";
    let count = 0;
    export const handler = (req) => { req.write("other " + text + " " + ++count); };
  `,
  "apart.ts": `let count = 0; export const handler = (req) => { req.write("apart " + ++count); };`,
  "broken.ts": `export const handler = (req) => { req.write("good 1"); };`,
  "renamed.ts": `export const handler = (req) => { req.write("renamed 1"); };`,
  "deleted.ts": `export const handler = (req) => { req.write("deleted 1"); };`,
};

const apache = await startApache(t, { conf, handlers });
const inHandlers = (name: string): string => join(apache.folder, "handlers", name);

const get = async (name: string): Promise<string> => {
  const { status, body } = await apache.request(`/${name}`);
  return status === 200 ? body : `${status}`;
};

/** As editors save that fear a crash: a new file takes the place of the old one. */
function saveByRename(name: string, text: string): void {
  writeFileSync(inHandlers(`${name}.tmp`), text);
  renameSync(inHandlers(`${name}.tmp`), inHandlers(name));
}

/** As deployment tools do it: at no moment is there no link. */
function replaceLink(target: string, link: string): void {
  symlinkSync(target, `${link}.next`);
  renameSync(`${link}.next`, link);
}

const slow = (version: number): string => `
  import { note } from "./journal.ts";
  import { text } from "./slow-helper.ts";
  const later = () => import("./slow-helper.ts");
  export const handler = async (req) => {
    const first = text;
    note("slow ${version} " + req.args + " begun");
    if (req.args === "wait") await new Promise((done) => (globalThis.release = done));
    if (req.args === "go") globalThis.release();
    req.write("version ${version} " + first + " " + (await later()).text);
  };
  export function dispose() { note("slow ${version} disposed"); }
`;

const release = (n: number): Record<string, string> => ({
  "app.ts": `import { n } from "./n.ts"; export const handler = (req) => { req.write("release " + n); };`,
  "n.ts": `export const n = ${n};`,
});

t.test("100 of 100 saves are fresh: in place, by renaming, of a helper, of data", async (t) => {
  t.equal(await get("main"), "main 0 helper 0 0");
  for (let n = 1; n <= 25; n += 1) {
    writeFileSync(inHandlers("main.ts"), main(n));
    const inPlace = await get("main");
    saveByRename("main.ts", main(n + 1000));
    const renamed = await get("main");
    writeFileSync(inHandlers("helper.ts"), `export const text = "helper ${n}";`);
    const helper = await get("main");
    saveByRename("data.json", `{ "n": ${n} }`);
    const data = await get("main");
    t.strictSame(
      [inPlace, renamed, helper, data],
      [
        `main ${n} helper ${n - 1} ${n - 1}`,
        `main ${n + 1000} helper ${n - 1} ${n - 1}`,
        `main ${n + 1000} helper ${n} ${n - 1}`,
        `main ${n + 1000} helper ${n} ${n}`,
      ],
    );
  }
});

t.test("a helper's save reloads who imports it, and nobody else", async (t) => {
  await get("other");
  await get("apart");
  const before = await get("other");
  t.match(before, / 2$/);
  writeFileSync(inHandlers("helper.ts"), `export const text = "helper new";`);
  t.equal(await get("other"), "other helper new 1", "a module of its own, from the beginning");
  t.equal(await get("other"), "other helper new 2");
  t.equal(await get("apart"), "apart 2", "goes on counting");
  writeFileSync(inHandlers("main.ts"), handlers["main.ts"]);
  t.equal(await get("other"), "other helper new 3", "not by a save of another handler");
});

t.test(
  "a save that is broken: the last good version answers, the log names file and line",
  async (t) => {
    t.equal(await get("broken"), "good 1");
    const mistakes: [string, RegExp][] = [
      [`export const handler = (req) => {\n  req.write("a" b);\n};`, /broken\.ts:2/],
      [
        `\n\nimport { nothing } from "./helper.ts";\nexport const handler = () => nothing;`,
        /broken\.ts:3/,
      ],
      [`import "./nowhere.ts";\nexport const handler = () => 0;`, /broken\.ts:1/],
      [`export const handler = () => 0;\n\nthrow new Error("at load");`, /broken\.ts:3/],
      [
        `export const handle = () => 0;`,
        /broken\.ts.*lost its export "handler"|lost its export "handler".*broken\.ts/,
      ],
    ];
    for (const [text, line] of mistakes) {
      const logged = logSince(apache.sidecarLog);
      writeFileSync(inHandlers("broken.ts"), text);
      t.equal(await get("broken"), "good 1", text);
      const log = await logged(line);
      t.match(log, line);
      t.match(log, /mod_ts:error.*MODTS_BUILD_FAILED.*version 1\b/);
      t.match(await get("apart"), /^apart/, "nobody else is blocked");
    }
    writeFileSync(
      inHandlers("broken.ts"),
      `export const handler = (req) => { req.write("good 2"); };`,
    );
    t.equal(await get("broken"), "good 2");
  },
);

t.test("a handler that never was good: 500 until it is", async (t) => {
  const logged = logSince(apache.sidecarLog);
  writeFileSync(inHandlers("typed.ts"), "export const handler = (req: { => 0;");
  for (let times = 0; times < 3; times += 1) t.equal(await get("typed"), "500");
  writeFileSync(
    inHandlers("typed.ts"),
    "export const handler = (req: any) => { req.write('typed'); };",
  );
  t.equal(await get("typed"), "typed");
  const log = await logged(/typed\.ts reloaded|(?:MODTS_BUILD_FAILED[^]*){3}\n$/);
  t.equal(log.split("> 1 | export const handler = (req: {").length, 2, "its lines are logged once");
});

t.test("a request in flight ends on the version it began with", async (t) => {
  writeFileSync(inHandlers("slow-helper.ts"), `export const text = "old";`);
  writeFileSync(inHandlers("slow.ts"), slow(1));
  const first = apache.request("/slow?wait");
  await journalHas(apache, "slow 1 wait begun");
  writeFileSync(inHandlers("slow-helper.ts"), `export const text = "new";`);
  writeFileSync(inHandlers("slow.ts"), slow(2));
  const second = await apache.request("/slow?fresh");
  t.equal(second.body, "version 2 new new");
  const seen = await journalHas(apache, "slow 2 fresh begun");
  t.notOk(seen.includes("slow 1 disposed"), "not while a request holds it");
  t.equal((await apache.request("/slow?go")).body, "version 2 new new");
  t.equal((await first).body, "version 1 old old");
  await journalHas(apache, "slow 1 disposed");
});

t.test("a handler that is new, renamed, deleted and made again", async (t) => {
  t.equal(await get("new"), "500");
  writeFileSync(inHandlers("new.ts"), "export const handler = (req) => { req.write('new'); };");
  t.equal(await get("new"), "new");

  t.equal(await get("renamed"), "renamed 1");
  renameSync(inHandlers("renamed.ts"), inHandlers("aside.ts"));
  renameSync(inHandlers("aside.ts"), inHandlers("renamed.ts"));
  t.equal(await get("renamed"), "renamed 1");

  t.equal(await get("deleted"), "deleted 1");
  rmSync(inHandlers("deleted.ts"));
  // Some editors delete and create: a file has to be gone for a moment before that is a mistake.
  const seen = new Set<string>();
  while (!seen.has("404")) seen.add(await get("deleted"));
  t.same(
    [...seen].filter((answer) => answer !== "deleted 1"),
    ["404"],
  );
  t.match(await until(apache.sidecarLog, "MODTS_HANDLER_DELETED"), "MODTS_HANDLER_DELETED");
  t.equal(await get("deleted"), "404");
  writeFileSync(
    inHandlers("deleted.ts"),
    "export const handler = (req) => { req.write('deleted 2'); };",
  );
  t.equal(await get("deleted"), "deleted 2");
});

t.test("current -> releases/42, as a folder of handlers that is a link itself", async (t) => {
  const folder = t.testdir({
    releases: { 41: release(41), 42: release(42) },
    current: t.fixture("symlink", "releases/41"),
    elsewhere: { "app.ts": "export const handler = (req) => { req.write('escaped'); };" },
  });
  const linked = await startApache(t, {
    conf: `<Location /app>\nUse TsHandler app.ts\n</Location>`,
    config: { handlers: [join(folder, "current")] },
  });
  const app = async (): Promise<string> => (await linked.request("/app")).body;
  t.equal(await app(), "release 41");
  replaceLink("releases/42", join(folder, "current"));
  t.equal(await app(), "release 42");
  writeFileSync(join(folder, "releases/42/n.ts"), `export const n = "42, edited";`);
  t.equal(await app(), "release 42, edited");
  replaceLink("releases/41", join(folder, "current"));
  t.equal(await app(), "release 41", "and back");
  replaceLink("../../elsewhere/app.ts", join(folder, "releases/41/app.ts"));
  t.equal(await app(), "release 41", "a link out of the folder runs nothing");
  t.match(
    await until(() => linked.sidecarLog(), "MODTS_OUTSIDE_ROOTS"),
    /MODTS_OUTSIDE_ROOTS.*elsewhere\/app\.ts /,
  );
});

for (const watch of [{ poll: 100 }, true, false]) {
  t.test(`freshness does not depend on the watcher: ${JSON.stringify(watch)}`, async (t) => {
    const watched = await startApache(t, {
      conf: `<Location /app>\nUse TsHandler app.ts\n</Location>`,
      handlers: {
        "app.ts": `import { n } from "./n.ts"; export const handler = (req) => { req.write("n " + n); };`,
        "n.ts": "export const n = 0;",
      },
      config: { handlers: ["handlers"], reload: { watch } },
    });
    for (let n = 1; n <= 20; n += 1) {
      watched.write("handlers/n.ts", `export const n = ${n};`);
      t.equal((await watched.request("/app")).body, `n ${n}`, `save ${n} is served at once`);
    }
    if (!watch) return;
    watched.write("handlers/n.ts", "export const n = ;");
    const log = await until(() => watched.sidecarLog(), "MODTS_BUILD_FAILED");
    t.match(log, /n\.ts:1/, "what a watcher adds: the mistake is in the log before anyone asks");
  });
}
