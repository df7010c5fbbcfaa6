import t from "tap";
import { enablingCommand, neededModules } from "../../src/httpd/modules.ts";
import { confFile } from "../../src/httpd/render.ts";
import { readFileSync } from "node:fs";
import { requireHttpd } from "../fixtures/httpd.ts";

t.test("mod_ts.conf asks for the same modules", async (t) => {
  const asked = [
    ...readFileSync(confFile, "utf8").matchAll(
      /^(?:<IfModule !(?=.*\n *Error)|Use TsNeedsModule mod_ts )(?:mod_)?(\w+)/gm,
    ),
  ];
  const required = neededModules.filter((module) => module.required).map(({ name }) => name);
  t.strictSame(asked.map((match) => `mod_${match[1]}`).toSorted(), required.toSorted());
});

t.test("a module of a setting is not required by every installation", async (t) => {
  const settings = new Map(neededModules.map(({ name, setting }) => [name, setting]));
  t.equal(settings.get("mod_authnz_fcgi"), "authorizer");
  t.equal(settings.get("mod_remoteip"), "origin");
  for (const { name, required, setting } of neededModules) {
    t.notOk(required && setting !== undefined, name);
  }
});

t.test("how to enable modules", async (t) => {
  const httpd = { ...(await requireHttpd()), moduleDirectory: "/m", configFile: "/c/httpd.conf" };
  const names = ["mod_proxy", "mod_macro"];
  t.equal(enablingCommand({ ...httpd, layout: "debian" }, names), "a2enmod proxy macro");
  t.equal(
    enablingCommand({ ...httpd, layout: "source" }, names),
    "in /c/httpd.conf:\nLoadModule proxy_module /m/mod_proxy.so\nLoadModule macro_module /m/mod_macro.so",
  );
  t.match(enablingCommand({ ...httpd, layout: "confd" }, names), /conf\.modules\.d/);
});
