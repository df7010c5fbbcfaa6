/**
 * The images are built and the services run, without an engine, from the very files of `docker/`: `test/fixtures/images.ts` and
 * `stack.ts` say how. Needs the rights of root to make namespaces, and this machine's MariaDB and Redis.
 */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createCertificate } from "../fixtures/certificate.ts";
import { readCompose } from "../fixtures/compose-file.ts";
import { type Builder, openBuilder } from "../fixtures/images.ts";
import { Stack } from "../fixtures/stack.ts";

// Packages are installed and compiled in it.
t.setTimeout(600_000);

const missing = ["/usr/sbin/mariadbd", "/usr/bin/redis-server"].find((file) => !existsSync(file));
const opened = await openBuilder();
const reason = typeof opened === "string" ? opened : missing && `there is no ${missing}`;
const skip = reason === undefined ? {} : { skip: reason };
const browser = { accept: "text/html" };
const john = { authorization: `Basic ${btoa("john:secret")}` };

function open(test: Test, file: string): { stack: Stack; builder: Builder } {
  if (typeof opened === "string") throw new Error(opened);
  const stack = new Stack(opened.sandbox, opened, file);
  test.teardown(() => stack.stopAll());
  return { stack, builder: opened };
}

t.test("compose.yaml: the examples, with live reload", skip, async (t) => {
  const { stack, builder } = open(t, "docker/compose.yaml");
  await stack.up("mariadb", "redis", "sidecar", "apache");

  t.match(stack.ask("/hello"), { status: 200, body: "Hello from mod_ts!\n" });
  t.match(stack.ask("/style.css"), { status: 200, headers: { "content-type": "text/css" } });
  t.equal(stack.ask("/secure/").status, 401);
  t.equal(stack.ask("/secure/", john).status, 200, "a user of MariaDB");
  t.equal(stack.ask("/secure/", { authorization: `Basic ${btoa("john:x")}` }).status, 401);
  t.equal(stack.ask("/members/", browser).status, 302);
  t.equal(stack.ask("/test-page").status, 200, "seen from another machine than Apache's");
  t.equal(stack.ask("/.mod-ts/health").status, 403, "for the container itself alone");
  for (const path of ["/hello.ts", "/apache.conf", "/.env"])
    t.not(stack.ask(path).status, 200, path);

  await t.test("every address of the tour answers", async (t) => {
    const addresses = [...stack.ask("/", browser).body.matchAll(/<li><a href="([^"]+)"/g)];
    t.ok(addresses.length >= 14, "the front page lists the tour");
    for (const [, address = ""] of addresses) {
      const { status } = stack.ask(address, browser);
      t.ok([200, 302, 401].includes(status), `${address}: ${status}`);
    }
  });

  await t.test("a saved handler is what the next request runs", async (t) => {
    const file = join(builder.context, "examples/hello.ts");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("Hello from mod_ts!", "Good morning!"));
    t.match(stack.ask("/hello"), { status: 200, body: "Good morning!\n" });
    writeFileSync(file, "export function handler( {");
    t.match(stack.ask("/hello"), { body: "hello.ts" }, "what is wrong is shown");
    writeFileSync(file, text);
    // The first version once more, and not only its text.
    utimesSync(file, new Date(), new Date());
    t.match(stack.ask("/hello"), { status: 200, body: "Hello from mod_ts!\n" });
  });

  await t.test("a process has no more rights than it needs", async (t) => {
    const users = { apache: [33, 33], sidecar: [1000, 33] } as const;
    for (const [name, [uid, gid]] of Object.entries(users)) {
      const status = readFileSync(`/proc/${stack.pid(name)}/status`, "utf8");
      t.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t`, "m"), name);
      t.match(status, new RegExp(`^Gid:\\t${gid}\\t${gid}\\t`, "m"), name);
      t.match(status, /^CapEff:\t0+$/m, name);
      t.match(status, /^CapBnd:\t0+$/m, name);
      t.match(status, /^NoNewPrivs:\t1$/m, name);
      t.match(stack.exec(name, ["touch", "/srv/x"]), { output: "Read-only file system" }, name);
    }
    t.match(stack.exec("apache", ["touch", "/run/mod-ts/x"]), { output: "Read-only" });
  });

  await t.test("the secret is in no environment and on no command line", async (t) => {
    const file = join(stack.volume("run"), "secret");
    const secret = readFileSync(file, "utf8");
    t.match(secret, /^[0-9a-f]{64}$/);
    t.equal(statSync(file).mode & 0o777, 0o640);
    const look = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'";
    for (const name of ["apache", "sidecar"]) {
      const { output } = stack.exec(name, ["sh", "-c", look]);
      t.match(output, "MOD_TS_SECRET_FILE=", name);
      t.notOk(output.includes(secret), name);
    }
    t.match(stack.exec("apache", ["stat", "-c", "%a", "/run/httpd/secret.conf"]), {
      output: "600",
    });
  });

  await t.test("the sidecar may read the table of users, and no more", async (t) => {
    const ask = (sql: string) =>
      stack.exec("mariadb", ["mariadb", "-h127.0.0.1", "-usidecar", "-pdemo", "site", "-e", sql]);
    t.equal(ask("SELECT name FROM users").status, 0);
    t.match(ask("UPDATE users SET password = ''"), { status: 1, output: "denied" });
    t.match(ask("CREATE TABLE x (y INT)"), { status: 1, output: "denied" });
  });

  await t.test("commands of the documentation", async (t) => {
    t.match(stack.exec("apache", ["httpd", "-t"]), { status: 0, output: "Syntax OK" });
    t.equal(stack.exec("apache", ["httpd", "-k", "graceful"]).status, 0);
    t.equal(stack.exec("sidecar", ["mod-ts", "reload", "/srv"]).status, 0);
    await stack.healthy("apache");
  });

  await t.test("each health check uses both transports", async (t) => {
    const ask = (...variables: string[]) =>
      stack.exec("sidecar", ["env", ...variables, "node", "/srv/healthcheck.ts"]);
    t.equal(ask().status, 0);
    t.match(ask("MOD_TS_RUN=/nowhere"), { status: 1, output: /^gateway, \/nowhere\/main.sock: / });
    const wrong = ask("MOD_TS_SECRET_FILE=/etc/hostname");
    t.match(wrong, { status: 1, output: /^(gateway|authorizer), .* (status )?40?3/ });
    // Only the FastCGI transport is closed.
    const shut = ["sed", "s/port: 9701/port: 9799/", "/srv/healthcheck.ts"];
    const { output } = stack.exec("sidecar", shut);
    const other = stack.exec("sidecar", ["node", "--input-type=module-typescript", "-e", output]);
    t.match(other, { status: 1, output: /^authorizer, / });
  });

  await t.test(
    "without the sidecar nothing is let through; a new one needs no new Apache",
    async (t) => {
      t.equal(await stack.stop("sidecar"), 0, "it ended by itself");
      t.equal(stack.ask("/hello").status, 503);
      t.equal(stack.ask("/secure/", john).status, 503);
      t.not(stack.check("apache").status, 0);
      await stack.up("sidecar");
      await stack.healthy("apache");
      t.equal(stack.ask("/hello").status, 200);
      t.equal(stack.ask("/secure/", john).status, 200);
    },
  );

  t.match(stack.log("apache"), '"GET /hello HTTP/1.1" 200', "the access log is standard output");
  t.notMatch(stack.log("apache"), "/.mod-ts/health HTTP/1.0");
  t.match(stack.log("sidecar"), /\bnotice\b/);

  await t.test("with an open stream, both end by themselves within the grace period", async (t) => {
    const stream = await stack.hold("/events");
    const ended = await Promise.all([stack.stop("sidecar"), stack.stop("apache", "SIGWINCH")]);
    t.same(ended, [0, 0]);
    stream.kill();
  });
});

t.test("compose.prod.yaml: two sidecars, handlers in the images", skip, async (t) => {
  const { stack, builder } = open(t, "docker/compose.prod.yaml");
  const { context } = builder;
  execFileSync("sh", [join(context, "docker/secrets.sh")]);
  // Who answers? Shown by a handler of this test; built into the images, as all of them are.
  writeFileSync(join(context, "examples/which.ts"), which);
  const sections = `<Location "/which">\nUse TsHandler which.ts\n</Location>\n`;
  appendFileSync(join(context, "examples/apache.conf"), sections);
  await stack.up("mariadb", "redis", "one", "two");
  const hash = readFileSync(join(context, "docker/mariadb/demo-users.sql"), "utf8");
  t.match(
    stack.exec("mariadb", ["ls", "/docker-entrypoint-initdb.d"]).output,
    /^1-schema.sql\n$/,
    "no demo users",
  );
  const root = `mariadb -uroot -p"$(cat /run/secrets/mariadb_root_password)" -S/run/mysqld/mysqld.sock`;
  t.match(stack.exec("mariadb", ["sh", "-c", root], hash), { status: 0, output: "" }, "by hand");
  await stack.up("apache");

  const whoAnswers = (): Set<string> =>
    new Set(Array.from({ length: 4 }, () => stack.ask("/which").body));
  t.same(whoAnswers(), new Set(["/run/mod-ts/one", "/run/mod-ts/two"]));
  t.equal(stack.ask("/secure/", john).status, 200);
  t.equal(stack.ask("/.mod-ts/refresh").status, 403, "nothing of development");

  await t.test("a login counts at both, and so does its end", async (t) => {
    const form = stack.ask("/login", browser);
    const send = (cookies: readonly string[], page: string, more: string) =>
      stack.ask("/login", { cookie: cookies.join("; ") }, `token=${tokenIn(page)}&${more}`);
    const entered = send(form.cookies, form.body, "action=login&user=john&password=secret");
    t.equal(entered.status, 303);
    const session = { ...browser, cookie: entered.cookies.join("; ") };
    const visits = () => Array.from({ length: 4 }, () => stack.ask("/members/", session).status);
    t.same(visits(), [200, 200, 200, 200]);
    const account = stack.ask("/login", session);
    t.equal(send([session.cookie], account.body, "action=logout").status, 303);
    t.same(visits(), [302, 302, 302, 302], "with a copy of the cookie");
  });

  await t.test("either may go, and come back", async (t) => {
    for (const [gone, left] of [
      ["one", "two"],
      ["two", "one"],
    ] as const) {
      t.equal(await stack.stop(gone), 0);
      t.same(whoAnswers(), new Set([`/run/mod-ts/${left}`]), `without ${gone}`);
      t.equal(stack.ask("/secure/", john).status, 200, `without ${gone}`);
      await stack.healthy("apache");
      await stack.up(gone);
    }
  });
  t.equal(await stack.stop("apache", "SIGWINCH"), 0);

  await t.test("compose.tls.yaml: with a certificate, plain HTTP leads to it", async (t) => {
    const { services, secrets } = readCompose(join(context, "docker/compose.tls.yaml"));
    const { apache } = stack.compose.services;
    if (!apache) throw new Error("there is no Apache");
    Object.assign(apache.environment ?? {}, services["apache"]?.environment);
    apache.secrets?.push(...(services["apache"]?.secrets ?? []));
    Object.assign(stack.compose.secrets ?? {}, secrets);
    const made = createCertificate(t.testdir({}), "site.example");
    for (const [name, file] of Object.entries({ tls_certificate: made.cert, tls_key: made.key })) {
      copyFileSync(file, join(context, "docker/secrets", name));
      chmodSync(join(context, "docker/secrets", name), 0o644);
    }
    await stack.up("apache");
    const plain = stack.ask("/which", { host: "site.example" });
    t.match(plain, { status: 301, headers: { location: "https://site.example/which" } });
    const secure = stack.askTls("/which");
    t.match(secure, { status: 200, body: "/run/mod-ts/" });
    t.equal(await stack.stop("apache", "SIGWINCH"), 0);
  });
});

function tokenIn(page: string): string {
  return /name="token" value="([^"]+)"/.exec(page)?.[1] ?? "";
}

const which = `import { OK, type ApacheRequest } from "mod-ts";
export function handler(req: ApacheRequest) {
  req.write(process.env["MOD_TS_RUN"] ?? "");
  return OK;
}
`;
