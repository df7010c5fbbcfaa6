/** mod_dav_svn takes GET over, too: a repository is served only where all handlers have run. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { requireHttpd } from "../fixtures/httpd.ts";
import { startOrigin } from "../fixtures/origin.ts";

const { moduleDirectory = "" } = await requireHttpd();
const skip = !existsSync(join(moduleDirectory, "mod_dav_svn.so")) && "it is not installed";

const sections = {
  trans: "Use TsTransHandler no.ts",
  init: "Use TsInitHandler no.ts",
  type: "Use TsTypeHandler no.ts",
  fixup: "Use TsFixupHandler no.ts",
  around: 'Use TsAroundHandler "no.ts mod_ts/origin"',
  module: "Use TsModule no.ts",
  filter: "Use TsOutputFilter no.ts",
} as const;

const guard = (handlers: string): string =>
  `AuthType mod_ts\nUse TsAccessHandler ${handlers}\nRequire valid-user`;

t.test("a repository of Subversion", { skip }, async (t) => {
  const places: Record<string, string> = {
    ...sections,
    free: "",
    refused: guard("no.ts"),
    let: guard("yes.ts"),
  };
  const apache = await startOrigin(t, {
    modules: ["mod_dav", "mod_dav_svn"],
    authorizer: true,
    handlers: {
      "no.ts": `const no = () => 451;
        export { no as accessHandler, no as fixupHandler, no as handler, no as initHandler,
          no as outputFilter, no as transHandler, no as typeHandler };`,
      "yes.ts": "export const accessHandler = () => 0;",
    },
    conf: Object.entries(places)
      .map(
        ([name, lines]) =>
          `<Location "/${name}">\nDAV svn\nSVNPath "\${FOLDER}/repository"\n${lines}\n</Location>`,
      )
      .join("\n"),
    files: { "new/a.txt": "room 101" },
  });
  const repository = join(apache.folder, "repository");
  execFileSync("svnadmin", ["create", repository]);
  const to = `file://${repository}`;
  execFileSync("svn", ["import", "-q", "-m", "first", join(apache.folder, "new"), to]);
  execFileSync("chmod", ["-R", "a+rwX", repository]);

  const statuses = async (name: string): Promise<number[]> => {
    const found: number[] = [];
    for (const [method, path] of [
      ["GET", "a.txt"],
      ["HEAD", "a.txt"],
      ["GET", ""],
      ["GET", "!svn/rvr/1/a.txt"],
      ["PROPFIND", "a.txt"],
    ] as const) {
      const headers = method === "PROPFIND" ? { Depth: "0" } : {};
      found.push((await apache.request(`/${name}/${path}`, { method, headers })).status);
    }
    return found;
  };
  for (const name of ["free", "let"]) {
    t.strictSame(await statuses(name), [200, 200, 200, 200, 207], name);
  }
  t.strictSame(await statuses("refused"), [451, 451, 451, 451, 451]);
  for (const name of Object.keys(sections)) {
    t.strictSame(await statuses(name), [400, 400, 400, 400, 400], name);
  }
});
