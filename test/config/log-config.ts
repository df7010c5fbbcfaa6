import t from "tap";
import { resolveLog } from "../../src/config/log-config.ts";

t.test("defaults of the log", async (t) => {
  t.same(
    resolveLog(undefined, "/srv", false),
    { level: "info", levels: {}, format: "json", file: "", access: false, slow: 0 },
    "production writes JSON to standard error",
  );
  t.equal(resolveLog({}, "/srv", true).format, "short", "development has a terminal");
});

t.test("settings of the log", async (t) => {
  const log = resolveLog({ file: "logs/a.log", format: "json", level: "debug" }, "/srv", true);
  t.match(log, { file: "/srv/logs/a.log", format: "json", level: "debug" });
  t.equal(resolveLog({ file: "/var/a.log" }, "/srv", true).file, "/var/a.log", "absolute paths");
});
