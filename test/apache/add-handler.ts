/** `req.addHandler` through Apache: the running phase and later ones, for one request. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: ["second", "function", "bad", "empty", "none", "past", "log", "grows"]
    .map((name) => `<Location /${name}>\nUse TsHandler add.ts::${name}\n</Location>`)
    .concat(`
      # No handler for this file: the list holds for another extension.
      <Location /fixup>
        Use TsHandler "add.ts::second | .none"
        Use TsFixupHandler add.ts::fixup
      </Location>
      <Location /access>
        Use TsHandler "add.ts::second | .none"
        RequestHeader add Mod-Ts-Config "access add.ts::access"
      </Location>
      <Location /after>
        Use TsFixupHandler add.ts::fixup
        Use TsHandler add.ts::configured
      </Location>
    `)
    .join("\n"),
  handlers: {
    "add.ts": handlerFile("add-handler-add.ts"),
    "other.ts": handlerFile("add-handler-other.ts"),
  },
});

t.test("a content handler adds a second one and hands it data", async (t) => {
  t.match(await apache.request("/second"), { status: 200, body: "handed on" });
  t.match(await apache.request("/function"), { body: "from a function, added" });
  t.match(await apache.request("/grows"), { body: "1 2 3 4 5 " });
});

t.test(
  "an earlier phase adds a content handler where none is configured for the file",
  async (t) => {
    t.match(await apache.request("/fixup"), { status: 200, body: "added in fixup" });
    t.match(await apache.request("/access"), { status: 200, body: "added in access" });
  },
);

t.test("it runs after those that are configured", async (t) => {
  t.match(await apache.request("/after"), { body: "configured, added in fixup" });
});

t.test("a target that is not there fails when it is reached", async (t) => {
  t.equal((await apache.request("/bad")).status, 500);
  const log = await until(() => apache.sidecarLog(), "MODTS_MISSING_EXPORT");
  t.match(log, /other\.ts has no export named none/);
});

t.test("an empty name, an unknown phase and one that is over fail at once", async (t) => {
  for (const name of ["empty", "none", "past"]) {
    t.equal((await apache.request(`/${name}`)).status, 500, name);
  }
  const log = await until(() => apache.sidecarLog(), 'to phase "fixup"');
  t.match(log, "MODTS_BAD_ARGUMENT: invalid argument for addHandler");
  t.match(log, 'cannot add a handler to phase "nonsense": the phases are trans, init');
  t.match(log, 'cannot add a handler to phase "fixup": it is over');
});

t.test("a handler for the log phase", async (t) => {
  t.match(await apache.request("/log"), { body: "content" });
  t.match(await until(() => apache.sidecarLog(), "logged 7 bytes"), "logged 7 bytes");
});

t.test("the next request begins without", async (t) => {
  t.match(await apache.request("/second"), { body: /^handed on$/ });
});
