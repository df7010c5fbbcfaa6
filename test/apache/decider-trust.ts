/** Attacks on the decider, and requests that it cannot decide: nothing is served undecided. */
import { connect } from "node:net";
import { join } from "node:path";
import t from "tap";
import { createSeal } from "../../src/base/crypto.ts";
import { freePort } from "../../src/httpd/private-server.ts";
import { createCallCounter, envScript, secret, startDecided } from "../fixtures/decider.ts";
import { startHeaderEcho } from "../fixtures/header-echo.ts";

const section = `
  <Location /www>
    Use TsFixupHandler h.ts
    Use TsAcceptEnv FIXED
    Use TsAcceptHeader X-User
  </Location>`;

t.test("what clients send has no effect", async (t) => {
  const apache = await startDecided(t, {
    files: { "htdocs/www/a.txt": "hello\n", "htdocs/www/env.cgi": envScript },
    conf: section,
  });
  const calls = createCallCounter(apache.sidecarLog);
  for (const headers of [
    {
      "Mod-Ts-Decision": "0000000000000000000000000000000000000000;1;x;1;;handler=c2VydmVyLWluZm8=",
    },
    { "Mod-Ts-Context": "x", "Mod-Ts-Config": "fixup h.ts::plain" },
    { REDIRECT_MOD_TS_DECISION: "1", "Redirect-Mod-Ts-Decision": "1" },
    { "Mod-Ts-Location": "/secret" },
    { Connection: "Mod-Ts-Context, Mod-Ts-Config, close" },
  ]) {
    const reply = await apache.request("/www/a.txt", { headers });
    t.match(reply, { status: 200, body: "hello\n" }, Object.keys(headers).join());
    t.strictSame(await calls(1), ["fixup of /www/a.txt"], "the handler ran");
  }
  const program = await apache.request("/www/env.cgi", {
    headers: { "X-User": "forged", FIXED: "forged" },
  });
  t.notMatch(program.body, /^(?:FIXED|HTTP_X_USER)=forged/m);
});

t.test(
  "a client's header is gone where a handler sets it in another spelling, or removes it",
  async (t) => {
    const apache = await startDecided(t, {
      files: { "htdocs/www/env.cgi": envScript },
      handlers: {
        "headers.ts": `export const fixupHandler = (req) => {
        if (req.args === "set") req.headersIn.set("x-user", "Ann");
        else req.headersIn.delete("x-user");
        return 0;
      };`,
      },
      conf: `
      <Location /www>
        Use TsFixupHandler headers.ts
        Use TsAcceptHeader X-User
      </Location>`,
    });
    const headers = { "X-User": "forged" };
    t.match((await apache.request("/www/env.cgi?set", { headers })).body, /^HTTP_X_USER=Ann$/m);
    t.notMatch((await apache.request("/www/env.cgi", { headers })).body, /^HTTP_X_USER=/m);
  },
);

t.test("a program cannot forge a decision", async (t) => {
  const script = (lines: readonly string[]): string =>
    `#!/bin/sh\ncat <<'EOF'\n${lines.join("\n")}\n\nEOF\n`;
  const mac = createSeal("-", "decision")("x");
  const forged = `${mac};1;${btoa("/www/a.txt")};1;;type=${btoa("text/x-forged")}`;
  const apache = await startDecided(t, {
    files: {
      "htdocs/www/a.txt": "hello\n",
      "htdocs/cgi/forge.cgi": script([`Server: ${forged}`, "Location: /www/a.txt"]),
      "htdocs/cgi/handler.cgi": script([
        `Server: ${forged.replace("type=", "handler=")}`,
        "Location: /open/a.txt",
      ]),
      "htdocs/open/a.txt": "open\n",
      "htdocs/www/show.cgi": envScript,
    },
    conf: section,
  });
  const calls = createCallCounter(apache.sidecarLog);
  const reply = await apache.request("/cgi/forge.cgi");
  t.match(reply, { status: 200, body: "hello\n" });
  t.equal(reply.headers["content-type"], "text/plain", "the forged type does not count");
  t.strictSame(await calls(1), ["fixup of /www/a.txt"], "the target is decided");
  t.notMatch(JSON.stringify(reply.rawHeaders), /mod-ts/i);
  t.equal((await apache.request("/cgi/handler.cgi")).status, 403, "a forged handler is refused");
});

t.test("requests that cannot be decided are refused", async (t) => {
  const port = await startHeaderEcho(t);
  const apache = await startDecided(t, {
    files: { "htdocs/www/a.txt": "hello\n", "htdocs/www/env.cgi": envScript },
    conf: `${section}
      ProxyPass /www/proxied http://127.0.0.1:${port}/
      <Location /www/handler>
        SetHandler "proxy:http://127.0.0.1:${port}"
      </Location>`,
  });
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const reply = await apache.request("/www/env.cgi", { method });
    t.equal(reply.status, 403, method);
  }
  t.equal(
    (await apache.request("/www/proxied/x")).status,
    403,
    "ProxyPass decides before sections",
  );
  const proxied = await apache.request("/www/handler/x");
  t.equal(proxied.status, 200, "SetHandler proxy: does not");
  t.match(proxied.body, /"x-user","Ann/);
});

t.test("the index file of a directory is not passed by", async (t) => {
  const apache = await startDecided(t, {
    files: { "htdocs/gate/index.cgi": envScript },
    conf: `
      DirectoryIndex index.cgi
      <Files "index.cgi">
        Use TsFixupHandler h.ts
      </Files>`,
  });
  const post = { method: "POST", body: "x" };
  t.equal((await apache.request("/gate/index.cgi", post)).status, 403, "a POST to the file");
  t.equal((await apache.request("/gate/", post)).status, 403, "to its directory");
  t.equal((await apache.request("/gate/?no")).status, 403, "a GET that the handler refuses");
  t.equal((await apache.request("/gate/")).status, 200, "a GET that it lets pass");
});

t.test("no response shows the decision", async (t) => {
  const port = await startHeaderEcho(t);
  const closed = await freePort("127.0.0.1");
  const apache = await startDecided(t, {
    files: { "htdocs/www/a.txt": "hello\n", "htdocs/www/env.cgi": envScript },
    conf: `${section}
      <Files "closed.txt">
        Require all denied
      </Files>
      <Location /www/proxied>
        SetHandler "proxy:http://127.0.0.1:${port}"
      </Location>
      <Location /www/unreachable>
        SetHandler "proxy:http://127.0.0.1:${closed}"
      </Location>
      <Location /to>
        Use TsTransHandler h.ts::toQuery
      </Location>`,
  });
  for (const [path, status] of [
    ["/www/a.txt", 200],
    ["/www/env.cgi", 200],
    ["/www/proxied/x", 200],
    ["/www/none", 404],
    ["/www/a.txt/more", 404],
    ["/to?/closed.txt", 403],
    ["/to?/none", 404],
    // For what a proxy serves, httpd writes no such header of its own.
    ["/www/unreachable/x", 503],
  ] as const) {
    const reply = await apache.request(path);
    t.equal(reply.status, status, path);
    t.notMatch(
      JSON.stringify(reply.rawHeaders),
      /mod-ts|1;[\w+/=]*;\d+;/i,
      `${path}: not in headers`,
    );
  }
  const ranges = await apache.request("/www/a.txt", { headers: { Range: "bytes=9000-" } });
  t.equal(ranges.status, 416);
  t.notMatch(
    JSON.stringify(ranges.rawHeaders),
    /mod-ts|1;[\w+/=]*;\d+;/i,
    "a range beyond the end",
  );
});

t.test("the sidecar is down", async (t) => {
  const apache = await startDecided(t, { files: { "htdocs/www/a.txt": "hello\n" }, conf: section });
  t.equal((await apache.request("/www/a.txt")).status, 200);
  const ended = new Promise((resolve) => apache.sidecar.once("exit", resolve));
  apache.sidecar.kill("SIGTERM");
  await ended;
  t.equal((await apache.request("/www/a.txt")).status, 503, "at once");
});

t.test("without a Unix socket the section is closed", async (t) => {
  const apache = await startDecided(t, {
    files: { "htdocs/www/a.txt": "hello\n", "htdocs/plain/a.txt": "plain\n" },
    before: "Define MOD_TS_TCP 127.0.0.1:1",
    conf: section,
  });
  t.equal((await apache.request("/plain/a.txt")).status, 200);
  t.equal((await apache.request("/www/a.txt")).status, 403);
});

/** An SCGI request as a local program would write it. */
function scgi(params: Record<string, string>): Buffer {
  const all = { CONTENT_LENGTH: "0", SCGI: "1", REQUEST_METHOD: "GET", ...params };
  const text = Object.entries(all)
    .map(([name, value]) => `${name}\0${value}\0`)
    .join("");
  return Buffer.from(`${Buffer.byteLength(text)}:${text},`);
}

function ask(path: string, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path, () => socket.write(bytes));
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.once("error", reject);
    socket.once("close", () => resolve(text));
  });
}

t.test("a local program that opens the socket learns nothing", async (t) => {
  const apache = await startDecided(t, { files: { "htdocs/www/a.txt": "hello\n" }, conf: section });
  const calls = createCallCounter(apache.sidecarLog);
  const path = join(apache.folder, "run/decide.sock");
  t.match(await ask(path, scgi({})), /^Status: 403 /);
  const time = new Date().toISOString().replaceAll(/\D/g, "").slice(0, 14);
  const context = ["2", time, ...Array.from({ length: 25 }, () => "")].join(";");
  for (const [use, key] of [
    ["decider", "-"],
    ["gateway", secret],
    ["decision", secret],
  ] as const) {
    const mac = createSeal(key, use)(context);
    const params = { HTTP_MOD_TS_CONTEXT: `${mac};${context}`, HTTP_MOD_TS_CONFIG: "fixup h.ts" };
    t.match(await ask(path, scgi(params)), /^Status: 403 /, `a seal for ${use}`);
  }
  t.equal(await ask(path, Buffer.from("GET / HTTP/1.1\r\n\r\n")), "", "HTTP is closed");
  t.strictSame(await calls(), []);
});
