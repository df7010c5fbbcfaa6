/** `freshness: "manual"`: only `mod-ts reload`, or SIGHUP, brings new code; and no request fails meanwhile. */
import t, { type Test } from "tap";
import { startApache } from "../fixtures/httpd.ts";
import { modTs } from "../fixtures/mod-ts.ts";
import { until } from "../fixtures/until.ts";

const handler = (text: string): string =>
  `import { greet } from "./helper.ts"; export const handler = (req) => { req.write(greet + " ${text} " + process.pid); };`;

const apache = await startApache(t, {
  conf: `
    <Location /app>
      Use TsHandler app.ts
    </Location>
    <Location /test-page>
      Use TsHandler mod_ts/test-page
    </Location>
  `,
  handlers: { "app.ts": handler("1"), "helper.ts": `export const greet = "hello";` },
  config: { reload: { freshness: "manual" }, pools: { main: { workers: 2 } } },
  isWaiting: true,
});

const app = async (): Promise<string> => {
  const { status, body } = await apache.request("/app");
  return status === 200 ? body.replace(/ \d+$/, "") : `${status}`;
};

/** Asks until the answer is another one; every answer on the way must be a good one. */
async function changesTo(t: Test, expected: string): Promise<void> {
  const before = await app();
  for (;;) {
    const now = await app();
    if (now === expected) break;
    if (now !== before) {
      t.equal(now, before, "no request fails, none gets a mixture");
      break;
    }
  }
  t.equal(await app(), expected);
}

t.test("a save changes nothing by itself", async (t) => {
  t.equal(await app(), "hello 1");
  apache.write("handlers/app.ts", handler("2"));
  apache.write("handlers/helper.ts", `export const greet = "welcome";`);
  for (let round = 0; round < 5; round += 1) t.equal(await app(), "hello 1");
});

t.test("mod-ts reload brings it", async (t) => {
  const result = await modTs("reload", apache.folder);
  t.match(result, { code: 0, stdout: /generation 2\b/ });
  await changesTo(t, "welcome 2");
  // Old workers serve the connections they have until these are idle; in the end only new code is left.
  t.match((await apache.request("/test-page")).body, "generation 2");
});

t.test("SIGHUP does the same", async (t) => {
  apache.write("handlers/app.ts", handler("3"));
  apache.sidecar.kill("SIGHUP");
  await changesTo(t, "welcome 3");
});

t.test("broken code: the last good version serves after the reload, until the next", async (t) => {
  apache.write("handlers/app.ts", "export const handler = (");
  apache.sidecar.kill("SIGHUP");
  await until(apache.sidecarLog, /app\.ts:1/);
  t.equal(await app(), "welcome 3", "the last good version");
  apache.write("handlers/app.ts", handler("4"));
  t.equal(await app(), "welcome 3", "no change by itself");
  apache.sidecar.kill("SIGHUP");
  await changesTo(t, "welcome 4");
});

t.test("a mistake in the configuration: mod-ts reload refuses, and all goes on", async (t) => {
  apache.write("mod-ts.config.json", `{ "handlers": ["nowhere"] }`);
  const result = await modTs("reload", apache.folder);
  t.match(result, { code: 1, stderr: /MODTS_CONFIG_INVALID/ });
  t.equal(await app(), "welcome 4");
});
