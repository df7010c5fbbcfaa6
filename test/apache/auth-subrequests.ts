/**
 * Sub-requests behind each guard, answered as Apache's own Basic answers them: kinds of sub-requests × sections of the file that is
 * looked up × guards × modules that make Apache check sub-requests again.
 */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { hasModule } from "../../src/httpd/find.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Apache, requireHttpd, startApache } from "../fixtures/httpd.ts";

interface Kind {
  method?: string;
  /** Below the directory of the cell. */
  path: string;
  headers?: Record<string, string>;
  /** Of the directory. */
  conf?: string;
}

const kinds: Record<string, Kind> = {
  index: { path: "index/", conf: "DirectoryIndex index.php index.html" },
  "index-absent": { path: "index-absent/", conf: "DirectoryIndex index.php index.html" },
  "index-child": { path: "index-child/", conf: "DirectoryIndex inner/start.html" },
  fallback: { path: "fallback/missing", conf: "FallbackResource front.html" },
  multiviews: { path: "multiviews/page", conf: "Options +MultiViews" },
  // Apache looks the file up by GET and without a query.
  "multiviews-query": { path: "multiviews/page?a=1" },
  "multiviews-head": { method: "HEAD", path: "multiviews/page" },
  "multiviews-post": { method: "POST", path: "multiviews/page" },
  listing: { path: "listing/", conf: "DirectoryIndex disabled\nOptions +Indexes" },
  rewrite: { path: "rewrite/old", conf: "RewriteEngine On\nRewriteRule ^old$ new.html" },
  "error-page": { path: "error-page/missing", conf: "ErrorDocument 404 front.html" },
  include: { path: "include/page.shtml" },
  "include-dir": { path: "include/dir.shtml" },
  "include-exec": { path: "include/exec.shtml" },
  propfind: { method: "PROPFIND", path: "dav/", headers: { depth: "1" } },
  mkcol: { method: "MKCOL", path: "dav/made" },
  "mkcol-slash": { method: "MKCOL", path: "dav/made-too/" },
  put: { method: "PUT", path: "dav/put.html" },
  copy: { method: "COPY", path: "dav/a.html" },
};

/** `DIR` stands for the directory of the cell. */
const sections: Record<string, (guard: string) => string> = {
  plain: (guard) => guard,
  files: (guard) => `${guard}\n<Files "*.html">\nHeader set X-Section files\n</Files>`,
  // As in php8.2-fpm.conf of Debian, which no handler serves here.
  php: (guard) =>
    `${guard}\n<FilesMatch ".+\\.(ph(?:ar|p|tml)|html)$">\nSetEnv PHP_SECTION 1\n</FilesMatch>\n<FilesMatch "^\\.ph(?:ar|p|ps|tml)$">\nRequire all denied\n</FilesMatch>`,
  if: (guard) =>
    `${guard}\n<If "%{REQUEST_FILENAME} =~ /html$|php$/">\nHeader set X-Section if\n</If>`,
  "inside-if": (guard) => `<If "true">\n${guard}\n</If>\n<Files "*.html">\nSetEnv A 1\n</Files>`,
  location: (guard) =>
    `<Files "*.html">\nHeader set X-Section files\n</Files>\n</Directory>\n<Location "DIR">\n${guard}\n</Location>\n<Directory "/none">`,
};

const basic = 'AuthType Basic\nAuthName "Members"';
const fromFile = `${basic}\nAuthBasicProvider file\nAuthUserFile "\${FOLDER}/htpasswd"`;
const forbidden = "AuthzSendForbiddenOnFailure On";

/** The first of each list is what Apache answers by itself. */
const guards: Record<string, Record<string, string>> = {
  password: {
    apache: `${fromFile}\nRequire valid-user`,
    access: `${basic}\nUse TsAccessHandler guard.ts\nRequire valid-user`,
    authen: `${basic}\nUse TsAuthenHandler guard.ts\nRequire valid-user`,
    "access+authen": `${basic}\nUse TsAccessHandler guard.ts::yes\nUse TsAuthenHandler guard.ts\nRequire valid-user`,
    provider: `${basic}\nUse TsAuthBasicProvider guard.ts\nAuthBasicProvider mod_ts\nRequire valid-user`,
  },
  user: {
    apache: `${fromFile}\n${forbidden}\nRequire user ann`,
    authz: `${fromFile}\nUse TsAuthzHandler guard.ts\nRequire valid-user`,
    "authz+require": `${fromFile}\nUse TsAuthzHandler guard.ts\nRequire mod_ts`,
    "authen+authz": `${basic}\nUse TsAuthenHandler guard.ts\nUse TsAuthzHandler guard.ts\nRequire valid-user`,
  },
};
/** The status of a refusal by Apache's own rule does not tell an authorization that fails from one in the same question. */
const users: Record<string, string> = {
  right: "ann:pass",
  wrong: "ann:wrong",
  other: "bob:pass",
};

const cells = Object.entries(guards).flatMap(([group, list]) =>
  Object.entries(list).flatMap(([guard, lines]) =>
    Object.entries(sections).map(([section, write]) => ({ group, guard, section, lines, write })),
  ),
);

function configure({ group, guard, section, lines, write }: (typeof cells)[number]): string {
  const directory = `/${group}/${guard}/${section}`;
  return `<Directory "\${FOLDER}/htdocs${directory}">
      Options +Includes +Indexes
      ${write(lines).replaceAll("DIR", directory)}
    </Directory>
    ${Object.entries(kinds)
      .filter(([, { conf }]) => conf)
      .map(
        ([kind, { conf = "" }]) =>
          `<Directory "\${FOLDER}/htdocs${directory}/${kind}">\n${conf.replaceAll("front", `${directory}/${kind}/front`)}\n</Directory>`,
      )
      .join("\n")}
    <Directory "\${FOLDER}/htdocs${directory}/dav">
      Dav On
    </Directory>`;
}

function contents({ group, guard, section }: (typeof cells)[number]): [string, string][] {
  const directory = `htdocs/${group}/${guard}/${section}`;
  const page = (text: string): string => `PAGE ${text}\n`;
  return Object.entries({
    "index/index.html": page("index"),
    "index-absent/a.html": page("a"),
    "index-child/inner/start.html": page("start"),
    "fallback/front.html": page("front"),
    "error-page/front.html": page("error"),
    "rewrite/new.html": page("new"),
    "multiviews/page.html": page("page"),
    "listing/a.html": page("a"),
    "listing/b.txt": page("b"),
    "include/a.html": page("included"),
    "include/page.shtml": '[<!--#include virtual="a.html" -->]\n',
    "include/dir.shtml": '[<!--#include virtual="inner/" -->]\n',
    "include/inner/index.html": page("inner"),
    "include/exec.shtml": '[<!--#include file="a.html" --><!--#fsize file="a.html" -->]\n',
    "dav/a.html": page("a"),
  }).map(([path, text]) => [`${directory}/${path}`, text]);
}

/** Sections that are tried with further modules, which do nothing else than have Apache check `plain` again. */
const disturbed: ReadonlySet<string> = new Set(["plain", "files"]);
const disturbing: Record<string, string> = {
  none: "",
  mod_allowmethods: "",
  mod_evasive20: "DOSPageCount 100000\nDOSSiteCount 100000",
  mod_perl: "",
};

/** Guards of a directory, and of the file that a sub-request looks up in it; both judge by the header `X-Refuse`. */
const own: Record<string, string> = {
  access: "Use TsAccessHandler own.ts::NAME\nRequire valid-user",
  authen: "Use TsAuthenHandler own.ts::NAME\nRequire valid-user",
  provider: "Use TsAuthBasicProvider own.ts::NAME\nAuthBasicProvider mod_ts\nRequire valid-user",
  authz:
    'Use TsAuthzHandler own.ts::NAME\nAuthBasicProvider file\nAuthUserFile "${FOLDER}/htpasswd"\nRequire valid-user',
  "authz-require":
    'Use TsAuthzHandler own.ts::NAME\nAuthBasicProvider file\nAuthUserFile "${FOLDER}/htpasswd"\nRequire mod_ts',
};
const ownCells = Object.keys(own).flatMap((outer) =>
  Object.keys(own).map((inner) => ({ outer, inner, path: `/own/${outer}/${inner}` })),
);

function configureOwn({ outer, inner, path }: (typeof ownCells)[number]): string {
  return `<Directory "\${FOLDER}/htdocs${path}">
      Options +Includes +MultiViews
      ${basic}
      ${own[outer]?.replace("NAME", "outer")}
      <Files "index.html">
        ${own[inner]?.replace("NAME", "inner")}
      </Files>
    </Directory>`;
}

const right = { authorization: `Basic ${Buffer.from("ann:pass").toString("base64")}` };

/** How the file is reached. */
const ways = ["index.html", "", "index", "page.shtml"];

/** What the policy of the file refuses is never served by that of the directory. */
async function checkOwnPolicies(t: Test, apache: Apache): Promise<void> {
  const shown: string[] = [];
  const counts = { served: 0, refused: 0 };
  for (const { outer, inner, path } of ownCells) {
    for (const way of ways) {
      for (const refuse of ["none", "inner"]) {
        const { body } = await apache.request(`${path}/${way}`, {
          headers: { ...right, "x-refuse": refuse },
        });
        const isServed = body.includes("PAGE own");
        counts[isServed ? "served" : "refused"] += 1;
        if (isServed && refuse === "inner") shown.push(`${path}/${way}`);
        // An AuthBasicProvider of the file replaces ours, whose answer TsBind then misses.
        const isReplaced = outer === "provider" && inner.startsWith("authz");
        const isDirect = way === "index.html" && refuse === "none";
        if (isDirect && !isServed && !isReplaced) shown.push(`not ${path}/${way}`);
      }
    }
  }
  const declined = await apache.request("/declined/old", { headers: right });
  t.equal(
    declined.status,
    403,
    "a handler that declines for one file has not declined for the next",
  );
  t.comment(`files with a policy of their own: ${counts.served} served, ${counts.refused} refused`);
  t.same(shown, []);
}

async function start(t: Test, module: string): Promise<Apache> {
  const apache = await startApache(t, {
    authorizer: true,
    modules: ["mod_include", "mod_dav", "mod_dav_fs", ...(module === "none" ? [] : [module])],
    before: "Define MOD_TS_SECRET 0123456789abcdef",
    config: { secret: "0123456789abcdef" },
    conf: `DAVLockDB "\${FOLDER}/locks/davlock"
      AddOutputFilter INCLUDES .shtml
      ${disturbing[module]}
      ${cells.map(configure).join("\n")}
      ${ownCells.map(configureOwn).join("\n")}
      <Directory "\${FOLDER}/htdocs/declined">
        ${fromFile}
        Use TsAuthzHandler own.ts::declineOld
        Require valid-user
        RewriteEngine On
        RewriteRule ^old$ new.html
        # Apache itself does not ask again within one section.
        <Files "new.html">
          Header set X-Section files
        </Files>
      </Directory>`,
    files: {
      ...Object.fromEntries(
        ownCells.flatMap(({ path }) => [
          [`htdocs${path}/index.html`, "PAGE own\n"],
          [`htdocs${path}/page.shtml`, '[<!--#include virtual="index.html" -->]\n'],
        ]),
      ),
      ...Object.fromEntries(cells.flatMap(contents)),
      "htdocs/declined/new.html": "PAGE own\n",
      htpasswd: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\nbob:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
      "locks/readme.txt": "of mod_dav\n",
    },
    handlers: {
      "own.ts": handlerFile("auth-subrequests-own.ts"),
      "guard.ts": handlerFile("password.ts"),
    },
  });
  for (const { group, guard, section } of cells) {
    chmodSync(join(apache.folder, "htdocs", group, guard, section, "dav"), 0o777);
  }
  chmodSync(join(apache.folder, "locks"), 0o777);
  return apache;
}

/** What does not depend on the directory of the cell and the time. */
interface Outcome {
  status: number;
  text: string;
}

async function ask(apache: Apache, directory: string, kind: Kind, user: string): Promise<Outcome> {
  const { method = "GET", path, headers } = kind;
  const { status, body } = await apache.request(`${directory}/${path}`, {
    method,
    headers: {
      ...headers,
      ...(method === "COPY" && { destination: `${apache.url}${directory}/dav/copied.html` }),
      authorization: `Basic ${Buffer.from(user).toString("base64")}`,
    },
    ...(method === "PUT" && { body: "x" }),
  });
  if (status >= 300 && status !== 404) return { status, text: "" };
  const names = body.matchAll(/href="([^"?][^"]*)"|<D:href>([^<]*)|PAGE \w+|\[[^\]]*\]/g);
  const text = [...names].map(([found]) => found.replace(directory, "")).join(" ");
  return { status, text: text.replaceAll(/\/\w+\/[\w+]+\/[\w-]+/g, "") };
}

type Cell = (typeof cells)[number];

/** All kinds and users in turn, as those that write change what the next one finds. */
async function askAll(apache: Apache, { group, guard, section }: Cell): Promise<string[]> {
  const lines: string[] = [];
  for (const [name, kind] of Object.entries(kinds)) {
    for (const [who, user] of Object.entries(users)) {
      if (who === "other" && group === "password") continue;
      const { status, text } = await ask(apache, `/${group}/${guard}/${section}`, kind, user);
      lines.push(`${name} × ${who}: ${status} ${text}`);
    }
  }
  return lines;
}

/** Counts of answers by sub-request kind and guard, and those that are not Apache's own. */
async function compare(
  apache: Apache,
  asked: readonly Cell[],
): Promise<{ table: Map<string, number>; wrong: string[] }> {
  const answers = new Map<string, string[]>();
  const keyOf = ({ group, guard, section }: Cell): string => `${group} ${section} ${guard}`;
  const next = asked.values();
  const work = async (): Promise<void> => {
    for (const cell of next) answers.set(keyOf(cell), await askAll(apache, cell));
  };
  await Promise.all(Array.from({ length: 12 }, work));
  const table = new Map<string, number>();
  const wrong: string[] = [];
  for (const cell of asked) {
    const expected = answers.get(keyOf({ ...cell, guard: "apache" })) ?? [];
    for (const [index, line] of (answers.get(keyOf(cell)) ?? []).entries()) {
      if (line === expected[index]) table.set(cell.guard, (table.get(cell.guard) ?? 0) + 1);
      else wrong.push(`${keyOf(cell)}: ${line}, Apache ${expected[index]}`);
    }
  }
  return { table, wrong };
}

const httpd = await requireHttpd();
for (const module of Object.keys(disturbing)) {
  const skip = module === "none" || hasModule(httpd, module) ? false : `${module} is not installed`;
  t.test(`with ${module}`, { skip }, async (t) => {
    const apache = await start(t, module);
    const { table, wrong } = await compare(
      apache,
      cells.filter(({ section }) => module === "none" || disturbed.has(section)),
    );
    t.comment(`as Apache's own: ${[...table].map((entry) => entry.join(" ")).join(", ")}`);
    t.same(wrong, []);
    await checkOwnPolicies(t, apache);
  });
}
