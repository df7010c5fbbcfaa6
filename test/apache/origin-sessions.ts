/** A session is free again before the original is asked for, or a file is sent: nobody waits for it who is part of the same answer. */
import { closeSync, ftruncateSync, mkdirSync, openSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import t from "tap";
import { Browsers } from "../fixtures/browser.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";

const apache = await startOrigin(t, {
  authorizer: true,
  files: { "htdocs/members/page.html": "members" },
  handlers: {
    "session.ts": handlerFile("origin-sessions-session.ts"),
  },
  conf: `
    Use TsOption mod_ts.session.lock_timeout 1
    <Location "/members">
      AuthType mod_ts
      Use TsAuthenHandler session.ts
      Require valid-user
      Use TsAroundHandler "session.ts mod_ts/origin"
    </Location>
    <Location "/files">
      Use TsHandler session.ts
    </Location>
    <Location "/passed">
      Use TsAroundHandler "session.ts mod_ts/origin"
    </Location>
    <Location "/count">
      Use TsHandler session.ts::count
    </Location>`,
});
for (const folder of ["files", "passed"]) {
  mkdirSync(join(apache.folder, "htdocs", folder));
  const file = openSync(join(apache.folder, "htdocs", folder, "large.bin"), "w");
  ftruncateSync(file, 100_000_000);
  closeSync(file);
}
const browsers = new Browsers(t, apache.port);

t.test("an authen handler has the session of the page, again in the call back", async (t) => {
  const cookie = await browsers.start("/members/page.html");
  for (const wanted of ["2", "3"]) {
    const { status, headers, body } = await apache.request("/members/page.html", {
      headers: { cookie },
    });
    t.match({ status, body, headers }, { status: 200, body: "members" });
    t.equal(headers["x-count"], wanted, "the session counts on");
  }
});

for (const folder of ["files", "passed"]) {
  t.test(`a client that does not read /${folder} keeps nobody waiting`, async (t) => {
    const cookie = await browsers.start("/members/page.html");
    const options = { host: "127.0.0.1", port: apache.port, headers: { cookie }, agent: false };
    const path = `/${folder}/large.bin`;
    const request = get({ ...options, path }).on("error", () => {});
    await new Promise((resolve) => request.once("response", resolve));
    t.match(await browsers.ask("/count", cookie), { status: 200, body: "2" });
    request.destroy();
  });
}
