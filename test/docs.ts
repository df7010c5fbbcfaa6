/** The documentation holds: every link, name, option and default in it, and every snippet. */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import t from "tap";
import { defaultNames } from "../src/engine/handler.ts";
import type { CommandOption } from "../src/cli/commands/command.ts";
import { findMistakes } from "../src/config/validate.ts";
import { resolveConfig } from "../src/config/config.ts";
import { errorRegistry } from "../src/base/errors.ts";
import { phaseNames } from "../src/engine/handler.ts";
import { rules } from "../src/httpd/finding.ts";
import { unprivilegedUser } from "../src/httpd/server-root.ts";
import { checkGuards } from "../src/httpd/guard-rules.ts";
import { MergedConfig } from "../src/httpd/merged-config.ts";
import { checkPolicies } from "../src/httpd/policy-rules.ts";
import { checkProxies } from "../src/httpd/proxy-rules.ts";
import { dumpConfig, queryHttpd } from "../src/httpd/query.ts";
import { defaultModules, writeServerRoot } from "../src/httpd/server-root.ts";
import { confFile, requireHttpd, startEcho, temporaryFolder } from "./fixtures/httpd.ts";
import { originDefines } from "./fixtures/origin.ts";
import { compile } from "../src/loader/compile.ts";
import { translatePage } from "../src/handlers/pages/translate.ts";
import {
  anchors,
  type Fence,
  fences,
  fileName,
  links,
  sections,
  tableRows,
} from "./fixtures/markdown.ts";

const project = resolve(import.meta.dirname, "..");
const read = (...names: string[]): string => readFileSync(join(project, ...names), "utf8");
const pages = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(project, "docs"), { recursive: true, encoding: "utf8" })
    // What typedoc wrote into docs/api/ is not ours.
    .filter((name) => name.endsWith(".md") && !name.startsWith("api/"))
    .map((name) => `docs/${name}`),
];
const snippets = (language: string): (Fence & { place: string })[] =>
  pages.flatMap((page) =>
    fences(read(page))
      .filter(({ info }) => info.split(" ")[0] === language)
      .map((fence) => ({ ...fence, place: `${page}:${fence.line}` })),
  );

/** As the sidecar without a name reads it. */
const conf = readFileSync(confFile, "utf8")
  .replaceAll("-${MOD_TS_SIDECAR}", "")
  .replaceAll("${MOD_TS_AS}", " ");
const macros = new Map(
  [...conf.matchAll(/^<Macro (\w+)(.*)>$/gm)].map(([, name = "", rest = ""]) => [name, rest]),
);

// A file that runs alone has 30 seconds by default, too few for a busy machine.
t.setTimeout(600_000);

t.test("every relative link leads somewhere", (t) => {
  for (const page of pages) {
    for (const link of links(read(page)).filter((target) => !/^[a-z]+:/.test(target))) {
      const [path = "", anchor] = link.split("#");
      const file = path === "" ? join(project, page) : resolve(project, dirname(page), path);
      t.ok(existsSync(file), `${page} -> ${link}`);
      if (anchor !== undefined && existsSync(file)) {
        t.ok(anchors(readFileSync(file, "utf8")).has(anchor), `${page} -> ${link}: the heading`);
      }
    }
  }
  t.end();
});

t.test("architecture.md and the decisions name files that exist", (t) => {
  for (const page of pages.filter((name) => /architecture|decisions/.test(name))) {
    const named = read(page).matchAll(/`((?:[a-z-]+\/)+[\w.-]*|(?:worker|index)\.ts)`/g);
    for (const [, path = ""] of named) {
      const isThere = [".", "src", "src/handlers"].some((base) =>
        existsSync(join(project, base, path)),
      );
      t.ok(isThere, `${page}: ${path}`);
    }
  }
  t.end();
});

t.test("architecture.md lists every decision", (t) => {
  const listed = links(read("docs/architecture.md"));
  for (const page of pages.filter((name) => name.startsWith("docs/decisions/"))) {
    t.ok(listed.includes(page.replace("docs/", "")), page);
  }
  t.end();
});

t.test("each row of attacks.md names a test that exists", (t) => {
  const [rows = ""] = read("docs/attacks.md").split("\n## Sub-requests\n");
  for (const cells of tableRows(rows)) {
    const [attack = "", before, now, named = ""] = cells;
    t.ok(cells.length === 4 && before && now, `${attack}: what happened before, what happens now`);
    const tests = links(named).filter((target) => target.startsWith("../test/"));
    t.not(tests.length, 0, `${attack}: a test`);
    for (const target of tests) t.ok(existsSync(join(project, "docs", target)), target);
  }
  t.end();
});

t.test("configuration.md has every option, and no other", (t) => {
  const [options = ""] = read("docs/configuration.md").split("\n# Command line\n");
  const described = sections(options, 2);
  t.same([...described.keys()].toSorted(), keysOf("").toSorted());
  const objects = {
    listen: { host: "", port: 1 },
    authorizer: { host: "", port: 1 },
    origin: { url: "" },
    limits: {},
    reload: {},
    log: {},
  };
  for (const name of Object.keys(objects)) {
    t.same(memberRows(described.get(name)), keysOf(name).toSorted(), name);
  }
  t.same(memberRows(described.get("pools")), keysOf("pools", "main").toSorted(), "pools");
  t.end();
});

t.test("configuration.md has the defaults of the code", (t) => {
  const described = sections(read("docs/configuration.md"), 2);
  const config = resolveConfig({ socketGroup: "0" }, join(project, "mod-ts.config.ts"));
  for (const name of ["limits", "reload", "log"] as const) {
    const shown = tableRows(described.get(name) ?? "").map(([key, value]) => [key, value]);
    const real = Object.entries(config[name]).map(([key, value]) => [key, JSON.stringify(value)]);
    t.same(Object.fromEntries(shown), Object.fromEntries(real), name);
  }
  for (const name of ["keepAlive", "development"] as const) {
    t.match(described.get(name), `Default: \`${config[name]}\``, name);
  }
  t.end();
});

t.test("apache.md has every macro and setting of mod_ts.conf, and no other", (t) => {
  const page = read("docs/apache.md");
  const described = sections(page, 3);
  const names = [...described.keys()].filter((name) => /^Ts[A-Z]/.test(name));
  t.same(names.toSorted(), [...macros.keys()].toSorted());
  for (const name of names) {
    const [, syntax = ""] = tableRows(described.get(name) ?? "")[0] ?? [];
    const words = (/`([^`]+)`/.exec(syntax)?.[1] ?? syntax).replace(/"[^"]*"/g, "word").split(" ");
    const count = (macros.get(name) ?? "").split(" ").filter(Boolean).length;
    t.same(words.slice(0, 2), ["Use", name]);
    t.equal(words.length - 2, count, `${name} takes ${count}`);
  }
  const [settings = ""] = conf.split("== Requirements");
  const defined = new Set([...settings.matchAll(/Define (MOD_TS_\w+)/g)].map((match) => match[1]));
  const rows = tableRows(sections(page, 2).get("Settings") ?? "");
  t.same(rows.map(([name]) => name).toSorted(), [...defined].toSorted());
  for (const [name, value = ""] of rows) {
    const real = new RegExp(`^ +Define ${name} (.+)$`, "m").exec(settings)?.[1];
    t.equal(/^(?:none|not defined)$/.test(value) ? undefined : value, real, `${name}: default`);
  }
  t.end();
});

t.test(
  "an option that mod_ts itself reads has a row in a table, and TsOption lists no other",
  (t) => {
    const sources = readdirSync(join(project, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => read("src", name).replace(/^ *(?:\/\/|\*|\/\*).*$/gm, ""))
      .join("\n");
    const shown = new Set(pages.flatMap((page) => tableRows(read(page)).map(([key]) => key)));
    for (const [, key = ""] of sources.matchAll(/getOptions\(\)\["([^"]+)"\]/g)) {
      t.ok(shown.has(key), key);
    }
    const rows = tableRows(sections(read("docs/apache.md"), 3).get("TsOption") ?? "");
    for (const [key = ""] of rows.slice(3)) t.ok(sources.includes(`["${key}"]`), key);
    t.end();
  },
);

t.test("every option of a built-in handler has a row in a table", (t) => {
  const shown = new Set(pages.flatMap((page) => tableRows(read(page)).map(([key]) => key)));
  let count = 0;
  for (const name of readdirSync(join(project, "src"), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const text = read("src", name);
    const handler = /new SectionOptions\(\w+, "([\w-]+)"\)/.exec(text)?.[1];
    if (handler === undefined) continue;
    for (const [, key = ""] of text.matchAll(
      /\.(?:text|required|number|flag|words|names|url)\(\s*"(\w+)"/g,
    )) {
      t.ok(shown.has(`mod_ts.${handler}.${key}`), `${name}: mod_ts.${handler}.${key}`);
      count += 1;
    }
  }
  t.ok(count > 40, `${count} options`);
  t.end();
});

t.test("handlers.md has the phases of the engine, in order", (t) => {
  const rows = tableRows(sections(read("docs/handlers.md"), 2).get("Phases") ?? "");
  t.same(
    rows.map(([phase]) => phase),
    phaseNames,
  );
  for (const [index, phase] of phaseNames.entries()) {
    const [, directive = "", name] = rows[index] ?? [];
    t.equal(name, defaultNames[phase]);
    // What both macros for content begin with stands in one of its own.
    const written = directive === "TsHandler" ? "TsTellHandler" : directive;
    const macro = sections(conf.replace(/^<Macro /gm, "# "), 1).get(
      `${written} ${macros.get(written)?.trim()}>`,
    );
    t.match(
      macro,
      new RegExp(`"(?:\\\\\\\\t)?${phase} \\$handlers"|MOD_TS_${phase.toUpperCase()}=`),
      directive,
    );
  }
  t.end();
});

t.test("check.md has every rule at its level, and no other", (t) => {
  const rows = [...sections(read("docs/check.md"), 2).values()].flatMap(tableRows);
  t.same(Object.fromEntries(rows.map(([rule, level]) => [rule, level])), rules);
  t.end();
});

t.test("macros, error codes and npm scripts that the pages name exist", (t) => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  for (const page of pages) {
    const text = read(page);
    for (const [, name = ""] of text.matchAll(/\b(Ts[A-Z]\w+)/g)) {
      if (name !== "TsXxxHandler") t.ok(macros.has(name), `${page}: ${name}`);
    }
    for (const [code] of text.matchAll(/\bMODTS_[A-Z_]+[A-Z]\b/g)) {
      t.ok(Object.hasOwn(errorRegistry, code), `${page}: ${code}`);
    }
    for (const [, name = ""] of text.matchAll(/\bnpm (?:run )?(start|test|build|bench|lint)\b/g)) {
      t.ok(scripts[name], `${page}: npm ${name}`);
    }
  }
  t.end();
});

t.test("the command line is as described", async (t) => {
  const commands = await loadCommands();
  const [, page = ""] = read("docs/configuration.md").split("\n# Command line\n");
  const described = sections(page, 2);
  t.same(
    [...described.keys()].toSorted(),
    [...commands.keys()].map((name) => `mod-ts ${name}`).toSorted(),
  );
  for (const [name, { options }] of commands) {
    const rows = tableRows(described.get(`mod-ts ${name}`) ?? "");
    const shown = rows.map(([option = ""]) => option.replaceAll("`", ""));
    const real = Object.entries(options).map(([option, { short }]) =>
      short ? `--${option}, -${short}` : `--${option}`,
    );
    t.same(shown.toSorted(), real.toSorted(), name);
    for (const [option = "", value] of rows) {
      const preset = options[/--(\w+)/.exec(option)?.[1] ?? ""]?.default;
      if (typeof preset === "string" && preset !== "") t.equal(value, preset, `${name} ${option}`);
    }
  }
});

t.test("commands in the pages are ones that exist", async (t) => {
  const commands = await loadCommands();
  for (const page of pages) {
    for (const [line, name = ""] of read(page).matchAll(/\bmod-ts ([a-z]+)\b[^`\n|]*/g)) {
      const command = commands.get(name);
      if (!t.ok(command, `${page}: mod-ts ${name}`) || !command) continue;
      for (const [, option = ""] of line.matchAll(/ --([a-z-]+)/g)) {
        t.ok(option === "help" || option in command.options, `${page}: ${line.trim()}`);
      }
    }
  }
});

t.test("every TypeScript snippet type-checks as a module", (t) => {
  const folder = temporaryFolder(t);
  const names = new Map<string, string>();
  for (const [index, snippet] of snippets("ts").entries()) {
    // The files of a recipe import each other.
    const [page = ""] = snippet.place.split(":");
    const recipe = page.startsWith("docs/how-to/") ? basename(page, ".md") : undefined;
    const name = recipe ? join(recipe, fileName(snippet) ?? "") : `snippet-${index}.ts`;
    names.set(name, snippet.place);
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), `${snippet.text}export {};\n`);
  }
  t.ok(names.size > 5);
  symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
  const paths = {
    "mod-ts": ["src/index.ts"],
    "mod-ts/config": ["src/config/config.ts"],
    "mod-ts/testing": ["src/testing/testing.ts"],
  };
  const compilerOptions = {
    paths: Object.fromEntries(
      Object.entries(paths).map(([name, [file = ""]]) => [name, [join(project, file)]]),
    ),
    noUnusedLocals: false,
  };
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(project, "tsconfig.json"),
      compilerOptions,
      include: ["*.ts", "*/*.ts"],
      exclude: ["node_modules"],
    }),
  );
  // tap gives child processes a preload by NODE_OPTIONS, under which tsc does not start.
  const script = 'NODE_OPTIONS= exec "$0" -p .';
  const program = join(project, "node_modules/.bin/tsc");
  const run = spawnSync("/bin/sh", ["-c", script, program], { encoding: "utf8", cwd: folder });
  const said = run.stdout.replace(/^[\w/.-]+\.ts/gm, (name) => names.get(name) ?? name);
  t.equal(run.status, 0, { output: said + run.stderr });
  t.end();
});

t.test("every server page in the pages compiles", (t) => {
  const found = snippets("tsp");
  t.ok(found.length > 2);
  for (const { text, place } of found) {
    t.doesNotThrow(() => compile("/page.tsp", text, { ".tsp": translatePage }), place);
  }
  t.end();
});

t.test("every Apache snippet passes httpd -t, and mod-ts check", async (t) => {
  const httpd = await requireHttpd();
  const folder = temporaryFolder(t);
  const found = snippets("apache");
  t.ok(found.length > 5);
  for (const { text, info, place } of found) {
    const isSetting = /^#?Define MOD_TS_/m.test(text);
    const real = text.replace(/^DocumentRoot .+$/gm, `DocumentRoot "${folder}"`);
    const body = info.includes("htaccess") ? `<Directory "/">\n${real}</Directory>` : real;
    writeServerRoot({
      directory: folder,
      httpd,
      host: "127.0.0.1",
      port: 1,
      modules: [...new Set([...defaultModules, "mod_dav", "mod_dav_fs"])].toSorted(),
      user: process.getuid?.() === 0 ? unprivilegedUser() : undefined,
      conf: [
        'Define MOD_TS_AUTHORIZER "127.0.0.1:9"',
        `Define MOD_TS_DIRECTORY "${folder}"`,
        isSetting ? body : originDefines,
        `Include "${confFile}"`,
        isSetting ? "" : body,
      ].join("\n"),
    });
    const { ok, text: said } = await queryHttpd(
      httpd,
      ["-d", folder, "-t"],
      join(folder, "httpd.conf"),
    );
    t.ok(ok, place, { said });
    t.notMatch(said, /warn/i, place);
    const config = new MergedConfig((await dumpConfig(httpd, join(folder, "httpd.conf"))) ?? "");
    const wrong = [...checkGuards(config), ...checkPolicies(config), ...checkProxies(config)];
    t.same(
      wrong.filter(({ level }) => level === "bad"),
      [],
      `${place}: no finding of mod-ts check`,
    );
  }
});

t.test("what apache.md says of .htaccess works", async (t) => {
  const lines = snippets("apache").filter(({ info }) => info.includes("htaccess"));
  t.equal(lines.length, 2);
  const apache = await startEcho(t, {
    files: { "htdocs/.htaccess": lines.map(({ text }) => text).join(""), "htdocs/a.txt": "" },
    conf: `<Directory "\${FOLDER}/htdocs">
      AllowOverride FileInfo
      Use TsHtaccess
    </Directory>`,
  });
  t.equal((await apache.request("/a.txt")).status, 200);
  t.not(apache.backend.last().context.length, 0, "Apache tells what it knows");
  t.same(apache.backend.last().all("mod-ts-config"), ["handler page.ts", "option greeting hello"]);
});

t.test("operations.md shows the file for logrotate", (t) => {
  const shown = fences(read("docs/operations.md")).map(({ text }) => text);
  t.ok(shown.includes(read("deploy/logrotate/mod-ts")));
  t.end();
});

t.test("systemd understands the units", (t) => {
  const units = readdirSync(join(project, "docs"))
    .filter((name) => /\.(?:service|socket)$/.test(name))
    .map((name) => join(project, "docs", name));
  t.equal(units.length, 4);
  const { error, stdout, stderr } = spawnSync("systemd-analyze", ["verify", ...units], {
    encoding: "utf8",
  });
  if (error) {
    t.comment("no systemd here");
    return t.end();
  }
  const complaints = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("mod-ts"));
  t.same(complaints, []);
  t.end();
});

t.test("the package has what the pages speak of", (t) => {
  const { files } = JSON.parse(read("package.json")) as { files: string[] };
  for (const name of ["docs", "apache-conf", "examples", "CHANGELOG.md"]) {
    t.ok(files.includes(name), name);
  }
  t.match(read("LICENSE"), /Apache License\s+Version 2\.0[^]*END OF TERMS AND CONDITIONS/);
  t.end();
});

/** The keys of an object of the configuration: an unknown one makes the code list them. */
function keysOf(...path: string[]): string[] {
  const nonsense = "zzzzzzzzzzzzzzzz";
  const input = path.filter(Boolean).reduceRight<object>((inner, name) => ({ [name]: inner }), {
    [nonsense]: 1,
  });
  const line = findMistakes(input).find((mistake) => mistake.includes(nonsense)) ?? "";
  return (/expected one of (.+)$/.exec(line)?.[1] ?? "").split(", ");
}

function memberRows(section = ""): string[] {
  return tableRows(section)
    .map(([name = ""]) => name)
    .toSorted();
}

interface CommandFacts {
  usage: string;
  options: Record<string, CommandOption>;
}

async function loadCommands(): Promise<Map<string, CommandFacts>> {
  const folder = join(project, "src/cli/commands");
  const commands = new Map<string, CommandFacts>();
  for (const file of readdirSync(folder)) {
    const module = (await import(join(folder, file))) as Partial<CommandFacts>;
    if (module.usage === undefined) continue;
    commands.set(basename(file, ".ts"), module as CommandFacts);
  }
  return commands;
}
