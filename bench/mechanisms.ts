/** The ways in which a phase takes part in what Apache serves, each behind a location of its name. */
import { originGuard } from "../src/base/crypto.ts";
import { freePort } from "../src/httpd/private-server.ts";
import { defaultModules } from "../src/httpd/server-root.ts";
import type { StageOptions } from "./stage.ts";

const secret = "0123456789abcdef";

const handlers = `import { htmlFilter, OK } from "mod-ts";
export const fixupHandler = () => OK;
export const transHandler = (req) => ((req.uri = req.uri.replace("/translated/", "/plain/")), OK);
export const logHandler = () => OK;
export const outputFilter = (text) => text.replaceAll("Town", "City");
export const rewrite = htmlFilter({ "p.last": (element) => element.setAttribute("id", "end") });
`;

/** What stands in the section, by the name of the mechanism and of its location. */
export const mechanisms: Readonly<Record<string, string>> = {
  plain: "",
  log: "Use TsLogHandler h.ts",
  fixup: "Use TsFixupHandler h.ts",
  translated: "Use TsTransHandler h.ts",
  passed: "Use TsAroundHandler mod_ts/origin",
  "text-filter": "Use TsOutputFilter h.ts",
  "html-filter": "Use TsOutputFilter h.ts::rewrite",
  mod_substitute:
    "SetOutputFilter SUBSTITUTE\nSubstituteMaxLineLength 2m\nSubstitute s/Town/City/n",
  mod_ext_filter: "SetOutputFilter replace",
};

/** What filters replace, and where {@link mechanisms} end a page. */
export const line = "<p>Town of a hundred lakes</p>\n";
export const last = '<p class="last">Town</p>\n';

export interface MechanismsOptions {
  /** Below `htdocs/`. */
  readonly pages: Readonly<Record<string, string>>;
  /** Threads of Apache. */
  readonly requestWorkers: number;
  /** @default none */
  readonly conf?: string;
}

/** A stage with all of them. */
export async function withMechanisms(options: MechanismsOptions): Promise<StageOptions> {
  const { pages, requestWorkers, conf = "" } = options;
  const port = await freePort("127.0.0.1");
  const locations = Object.entries(mechanisms).map(
    ([name, lines]) =>
      `Alias "/${name}" "\${FOLDER}/htdocs"\n<Location "/${name}">\n${lines}\n</Location>`,
  );
  return {
    modules: [...defaultModules, "mod_cgid", "mod_substitute", "mod_ext_filter"],
    before: `Define MOD_TS_SECRET ${secret}
Define MOD_TS_ORIGIN ${originGuard(secret)}
Define MOD_TS_ACCESS_LOG "\${FOLDER}/run/access.log"
Listen 127.0.0.1:${port}
ExtFilterDefine replace mode=output cmd="/bin/sed s/Town/City/"`,
    conf: [conf, ...locations].join("\n"),
    files: {
      ...Object.fromEntries(Object.entries(pages).map(([name, text]) => [`htdocs/${name}`, text])),
      "handlers/h.ts": handlers,
    },
    config: {
      secret,
      accessLog: "run/access.log",
      origin: { url: `http://127.0.0.1:${port}`, requestWorkers },
    },
  };
}
