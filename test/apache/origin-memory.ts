/** Large answers pass at the speed of the client, and never pile up in the worker. */
import { closeSync, ftruncateSync, openSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";

const megabyte = 1024 * 1024;
const size = 40 * megabyte;
const clients = 40;

const apache = await startOrigin(t, {
  files: { "htdocs/a/small.txt": "small" },
  handlers: {
    "fetch.ts": handlerFile("fetch-origin.ts"),
    "memory.ts": handlerFile("origin-memory-memory.ts"),
  },
  conf: `
    <Location "/a">
      Use TsHandler mod_ts/origin
    </Location>
    Alias /b "\${FOLDER}/htdocs/a"
    <Location "/b">
      Use TsHandler fetch.ts
    </Location>
    <Location "/memory">
      Use TsHandler memory.ts
    </Location>`,
});
const file = openSync(join(apache.folder, "htdocs/a/large.bin"), "w");
ftruncateSync(file, size);
closeSync(file);

const memory = async (): Promise<number> => Number((await apache.request("/memory")).body);

/** What is held when nothing moves any more. */
async function settled(): Promise<number> {
  for (let last = 0, tries = 0; ; tries += 1) {
    const now = await memory();
    if (Math.abs(now - last) < megabyte / 2 || tries === 50) return now;
    last = now;
    await sleep(200);
  }
}

for (const path of ["/a/large.bin", "/b/large.bin"]) {
  t.test(`${clients} clients that do not read: ${path}`, async (t) => {
    for (let warm = 0; warm < 3; warm += 1)
      await apache.request(path.replace("large.bin", "small.txt"));
    const before = await settled();
    const answers = await Promise.all(
      Array.from(
        { length: clients },
        () =>
          new Promise<IncomingMessage>((resolve, reject) => {
            const options = { host: "127.0.0.1", port: apache.port, path, agent: false };
            get(options, resolve).once("error", reject);
          }),
      ),
    );
    const growth = (await settled()) - before;
    t.ok(growth < 30 * megabyte, `${Math.round(growth / megabyte)} MB are held`);
    let received = 0;
    for await (const chunk of answers[0] as AsyncIterable<Buffer>) received += chunk.length;
    t.equal(received, size, "who reads gets all of it");
    for (const answer of answers) answer.destroy();
  });
}
