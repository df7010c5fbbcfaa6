/** The contract. Its table is what users read: it must say what the engine does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { defaultNames } from "../../src/engine/handler.ts";
import { DECLINED, DONE, OK, phaseNames } from "../../src/engine/handler.ts";

t.test("outcomes are httpd's numbers: they survive IPC and a second copy", async (t) => {
  t.strictSame([OK, DECLINED, DONE], [0, -1, -2]);
});

t.test("the table names each phase, in order, with its export", async (t) => {
  const source = readFileSync(join(import.meta.dirname, "../../src/engine/handler.ts"), "utf8");
  const rows = [...source.matchAll(/^ \* \| `Ts(\w+)`\s*\| `(\w+)`\s*\| `(\w+)`/gm)];
  t.strictSame(
    rows.map(([, , phase]) => phase),
    phaseNames,
  );
  for (const [, directive, phase = "", name] of rows) {
    t.equal(name, defaultNames[phase as "handler"], phase);
    t.equal(directive?.toLowerCase(), name?.toLowerCase(), phase);
  }
});

t.test("the macros of the Apache configuration send these phases", async (t) => {
  const conf = readFileSync(join(import.meta.dirname, "../../apache-conf/mod_ts.conf"), "utf8");
  for (const [, macro = "", phase] of conf.matchAll(
    /^<Macro Ts(\w*Handler) \$handlers>(?:\n(?!<\/Macro>).*)*?Mod-Ts-Config "\\\\t(\w+) \$handlers"/gm,
  )) {
    // TsHandler and TsAroundHandler tell it by TsTellHandler.
    const directive = macro === "TellHandler" ? "handler" : macro.toLowerCase();
    t.equal(defaultNames[phase as "handler"].toLowerCase(), directive, macro);
  }
});
