/** The options of a section. */
import t from "tap";
import { readSettings } from "../../src/cgi/settings.ts";

t.test("defaults", async (t) => {
  t.match(readSettings({}, 60_000), { queue: 100, timeout: 54_000, memory: 256 });
  t.ok(readSettings({}, 60_000).threads >= 4);
});

t.test("what is said, and what cannot be", async (t) => {
  const settings = readSettings(
    { "mod_ts.cgi.threads": "3", "mod_ts.cgi.queue": "0", "mod_ts.cgi.timeout": "70000" },
    60_000,
  );
  t.match(settings, { threads: 3, queue: 0, timeout: 70_000 });
  for (const [name, value] of [
    ["threads", "0"],
    ["memory", "1"],
    ["timeout", "1s"],
    ["thread", "3"],
  ]) {
    t.throws(() => readSettings({ [`mod_ts.cgi.${name}`]: value ?? "" }, 60_000), {
      code: "MODTS_BAD_OPTION",
    });
  }
});
