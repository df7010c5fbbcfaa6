/** Apache's own rules around our answer: RequireAny, RequireAll, addresses, listings, WebDAV. */
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const asking = `AuthType Basic
  AuthName "Members"
  Use TsAuthenHandler auth.ts`;

const sections: Record<string, string> = {
  any: `${asking}\n<RequireAny>\nRequire ip 127.0.0.1\nRequire valid-user\n</RequireAny>`,
  "any-other": `${asking}\n<RequireAny>\nRequire ip 192.0.2.1\nRequire valid-user\n</RequireAny>`,
  all: `${asking}\n<RequireAll>\nRequire ip 127.0.0.1\nRequire valid-user\n</RequireAll>`,
  "all-other": `${asking}\n<RequireAll>\nRequire ip 192.0.2.1\nRequire valid-user\n</RequireAll>`,
  not: `${asking}\n<RequireAll>\nRequire valid-user\nRequire not user bob\n</RequireAll>`,
  group: `${asking}\nAuthGroupFile "\${FOLDER}/groups"\nRequire group editors`,
  listing: `${asking}\nRequire valid-user\nOptions +Indexes\nIndexOptions ShowForbidden`,
  outer: `${asking}\nRequire valid-user`,
  "outer/open": "Require all granted",
  collections: `${asking}\nUse TsAuthzHandler auth.ts\nRequire valid-user\nDav On`,
  "collections-access": `AuthType mod_ts\nUse TsPassAuthorization\nUse TsAccessHandler auth.ts
    Require valid-user\nDav On`,
  "collections-file": `AuthType Basic\nAuthName "File"\nAuthUserFile "\${FOLDER}/htpasswd"
    Use TsAuthzHandler auth.ts\nRequire valid-user\nDav On`,
  dav: `${asking}\nRequire valid-user\nDav On`,
  limited: `${asking}\n<Limit GET HEAD>\nRequire all granted\n</Limit>\n<LimitExcept GET HEAD>\nRequire valid-user\n</LimitExcept>`,
};

const collections = ["collections", "collections-access", "collections-file"];

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_authz_groupfile", "mod_dav", "mod_dav_fs"],
  conf: `<Directory "\${FOLDER}/htdocs">
      Require all granted
    </Directory>
    DAVLockDB "\${FOLDER}/locks/davlock"
    ${Object.entries(sections)
      .map(([name, lines]) => `<Location "/${name}">\n${lines}\n</Location>`)
      .join("\n")}`,
  files: {
    ...Object.fromEntries(Object.keys(sections).map((name) => [`htdocs/${name}/a.txt`, "a\n"])),
    groups: "editors: ann\n",
    ...Object.fromEntries(
      collections.flatMap((name) => [
        [`htdocs/${name}/ann/a.txt`, "of ann"],
        [`htdocs/${name}/bob/thesis.txt`, "of bob"],
      ]),
    ),
    // ann:pass
    htpasswd: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
    "locks/readme.txt": "of mod_dav\n",
  },
  handlers: {
    "auth.ts": handlerFile("auth-require-auth.ts"),
  },
});
const writable = collections.flatMap((name) => [`htdocs/${name}/ann`, `htdocs/${name}/bob`]);
for (const name of ["htdocs/dav", "locks", ...writable])
  chmodSync(join(apache.folder, name), 0o777);

const ask = async (path: string, user?: string, method = "GET", body?: string) =>
  apache.request(path, {
    method,
    headers: {
      depth: "1",
      ...(user && { authorization: `Basic ${Buffer.from(`${user}:pass`).toString("base64")}` }),
    },
    ...(body !== undefined && { body }),
  });
const status = async (name: string, user?: string): Promise<number> =>
  (await ask(`/${name}/a.txt`, user)).status;

t.test("RequireAny: the address is enough, or the user", async (t) => {
  t.equal(await status("any"), 200);
  t.equal(await status("any-other"), 401);
  t.equal(await status("any-other", "ann"), 200);
});

t.test("RequireAll: the address and the user", async (t) => {
  t.equal(await status("all"), 401);
  t.equal(await status("all", "ann"), 200);
  t.ok((await status("all-other", "ann")) >= 401);
  t.ok((await status("all-other")) >= 401);
});

t.test("Require not, Require group: Apache's rules for our user", async (t) => {
  t.equal(await status("not", "ann"), 200);
  t.ok((await status("not", "bob")) >= 401);
  t.equal(await status("group", "ann"), 200);
  t.ok((await status("group", "bob")) >= 401);
});

// mod_autoindex asks for each entry by a sub-request, which is refused: it has the variables of its main request alone.
t.test("a directory listing, with IndexOptions ShowForbidden", async (t) => {
  t.equal((await ask("/listing/")).status, 401);
  t.match(await ask("/listing/", "ann"), { status: 200, body: /a\.txt/ });
});

t.test("a section within: its own rule holds", async (t) => {
  t.equal(await status("outer"), 401);
  t.equal(await status("outer/open"), 200);
});

t.test("WebDAV: reading, writing, listing", async (t) => {
  t.equal((await ask("/dav/new.txt", undefined, "PUT", "x")).status, 401);
  t.equal((await ask("/dav/new.txt", "ann", "PUT", "x")).status, 201);
  t.match(await ask("/dav/new.txt", "ann"), { status: 200, body: "x" });
  t.equal((await ask("/dav/", undefined, "PROPFIND")).status, 401);
  t.equal((await ask("/dav/", "ann", "PROPFIND")).status, 207);
  t.equal((await ask("/dav/new.txt", undefined, "DELETE")).status, 401);
});

for (const name of collections) {
  t.test(`${name}: the destination of COPY and MOVE is judged, too`, async (t) => {
    const send = async (method: string, headers: Record<string, string>): Promise<number> => {
      const authorization = `Basic ${Buffer.from("ann:pass").toString("base64")}`;
      const options = { method, headers: { host: "dav.example", authorization, ...headers } };
      return (await apache.request(`/${name}/ann/a.txt`, options)).status;
    };
    const bob = `/${name}/bob/thesis.txt`;
    for (const method of ["COPY", "MOVE"]) {
      for (const destination of [bob, `http://dav.example${bob}`, `/${name}/ann/../bob/x`]) {
        t.equal(await send(method, { destination, overwrite: "T" }), 403, destination);
      }
      t.equal(await send(method, { "new-uri": bob }), 403, "as mod_dav reads it");
      t.equal(
        await send(method, { destination: `http://elsewhere.example${bob}` }),
        403,
        `${method} to another host is refused`,
      );
    }
    t.equal(
      await send("COPY", { destination: `http://dav.example/${name}/ann/b.txt` }),
      201,
      "COPY within the collection is allowed",
    );
    t.equal(
      await send("MOVE", { destination: `http://DAV.example:80/${name}/ann/c%20d.txt` }),
      201,
    );
    t.equal(
      readFileSync(join(apache.folder, `htdocs${bob}`), "utf8"),
      "of bob",
      "the file of bob stays as it was",
    );
  });
}

t.test("LimitExcept: reading is free, everything else is not", async (t) => {
  t.equal(await status("limited"), 200);
  t.equal((await ask("/limited/a.txt", undefined, "POST", "x")).status, 401);
});
