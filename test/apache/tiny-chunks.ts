/** Bodies of one byte a chunk, for a handler that is busy elsewhere: what waits takes the memory of its bytes, not that of its chunks. */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const megabyte = 1024 * 1024;
const clients = 10;
const chunks = 60_000;

const apache = await startApache(t, {
  handlers: {
    "busy.ts": handlerFile("tiny-chunks-busy.ts"),
  },
  conf: ["busy", "state", "release"]
    .map((name) => `<Location "/${name}">\nUse TsHandler busy.ts::${name}\n</Location>`)
    .join("\n"),
});

const memory = async (): Promise<number> => Number((await apache.request("/state")).body);

/** The most that was in use while nothing more came than that. */
async function settled(): Promise<number> {
  let most = 0;
  for (let tries = 0; tries < 20; tries += 1) {
    most = Math.max(most, await memory());
    await sleep(50);
  }
  return most;
}

async function send(): Promise<string> {
  const client = connect(apache.port, "127.0.0.1");
  client.write(
    "POST /busy HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  client.write(`${"1\r\nx\r\n".repeat(chunks)}0\r\n\r\n`);
  let text = "";
  client.setEncoding("latin1").on("data", (part: string) => (text += part));
  await once(client, "close");
  return text;
}

t.test(`${clients} bodies that wait`, async (t) => {
  const before = await settled();
  const answers = Array.from({ length: clients }, send);
  const growth = (await settled()) - before;
  t.ok(growth < 60 * megabyte, `${Math.round(growth / megabyte)} MB more`);
  await apache.request("/release");
  for (const answer of await Promise.all(answers)) {
    t.match(answer, new RegExp(`^HTTP/1.1 200 [^]*\\b${chunks}\\b`));
  }
});
