/** HTTP/2 says the same things in other places: a guard hears what Apache serves, and no header of a client is one of ours. */
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_http2"],
  before: "Define MOD_TS_SECRET 0123456789abcdef",
  config: { secret: "0123456789abcdef" },
  conf: `Protocols h2c http/1.1
    <VirtualHost *>
      ServerName open.example
      DocumentRoot "\${FOLDER}/open"
      <Directory "\${FOLDER}/open">
        Require all granted
      </Directory>
      <Location "/content">
        Use TsHandler judge.ts
      </Location>
    </VirtualHost>
    <VirtualHost *>
      ServerName closed.example
      <Location "/">
        AuthType mod_ts
        Use TsAccessHandler judge.ts
        Require valid-user
      </Location>
    </VirtualHost>`,
  files: {
    "htdocs/secret/a.txt": "the secret\n",
    "htdocs/public/a.txt": "public\n",
    "open/secret/a.txt": "of the open host\n",
  },
  handlers: { "judge.ts": handlerFile("attacks/judge.ts") },
});

type Fields = Record<string, string | string[]>;
interface Answer {
  /** 0: the stream was reset. */
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** One request in a connection of its own, without the upgrade from HTTP/1.1. */
async function ask(fields: Fields): Promise<Answer> {
  const session: ClientHttp2Session = connect(`http://127.0.0.1:${apache.port}`);
  session.on("error", () => {});
  const stream = session.request({ ":method": "GET", ...closed, ...fields });
  const answer: Answer = { status: 0, headers: {}, body: "" };
  stream.setEncoding("utf8").on("error", () => {});
  stream.on("response", (headers) => {
    answer.status = headers[":status"] ?? 0;
    answer.headers = headers;
  });
  stream.on("data", (text: string) => (answer.body += text));
  await new Promise<void>((resolve) => stream.end().once("close", resolve));
  session.destroy();
  return answer;
}

const closed = { ":authority": "closed.example", ":scheme": "http", ":path": "/secret/a.txt" };

t.test("what the policy allows is served", async (t) => {
  t.match(await ask({ ":path": "/public/a.txt" }), { status: 200, body: "public\n" });
});

const attacks: Record<string, [fields: Fields, status: number]> = {
  "as it is": [{}, 403],
  "another host beside the authority": [{ host: "open.example" }, 403],
  "two slashes": [{ ":path": "//secret/a.txt" }, 403],
  dots: [{ ":path": "/public/../secret/a.txt" }, 403],
  "escaped dots": [{ ":path": "/public/%2e%2e/secret/a.txt" }, 403],
  "an escaped slash": [{ ":path": "/public/..%2fsecret/a.txt" }, 404],
  "an absolute URL": [{ ":path": "http://open.example/secret/a.txt" }, 0],
  "a path without its slash": [{ ":path": "secret/a.txt" }, 0],
  "an asterisk": [{ ":path": "*" }, 0],
  "no path": [{ ":path": "" }, 0],
  "a fragment": [{ ":path": "/secret/a.txt#/public" }, 400],
  "another scheme": [{ ":scheme": "https" }, 403],
  "a scheme that cannot be": [{ ":scheme": "x y" }, 0],
  "a user in the authority": [{ ":authority": "open.example@closed.example" }, 400],
  "the host as a user": [{ ":authority": "closed.example@open.example" }, 400],
  "a port": [{ ":authority": "closed.example:80" }, 403],
  "a dot at the end": [{ ":authority": "closed.example." }, 403],
  "upper case": [{ ":authority": "CLOSED.EXAMPLE" }, 403],
  "a method in lower case": [{ ":method": "get" }, 403],
  HEAD: [{ ":method": "HEAD" }, 403],
  POST: [{ ":method": "POST" }, 403],
  TRACE: [{ ":method": "TRACE" }, 405],
  "a method override": [{ "x-http-method-override": "OPTIONS" }, 403],
  "another URL in headers": [
    { "x-original-url": "/public/a.txt", "x-rewrite-url": "/public/a.txt" },
    403,
  ],
  "a range": [{ range: "bytes=0-5" }, 403],
};

t.test("what the policy forbids is not", async (t) => {
  for (const [name, [fields, status]] of Object.entries(attacks)) {
    const answer = await ask(fields);
    t.equal(answer.status, status, name);
    t.notMatch(answer.body, "the secret", name);
    const judged = answer.headers["x-judged"];
    if (status !== 403) continue;
    t.match(JSON.parse(String(judged)), { uri: "/secret/a.txt", host: "closed.example" }, name);
  }
});

t.test("the authority is the host, whatever the header says", async (t) => {
  const open = { ":authority": "open.example", host: "closed.example" };
  t.equal((await ask(open)).body, "of the open host\n");
  const { body } = await ask({ ...open, ":path": "/content" });
  t.match(JSON.parse(body), { host: "open.example", server: "open.example" });
});

t.test("our headers are removed, and cookies are joined", async (t) => {
  const { status, body } = await ask({
    ":authority": "open.example",
    ":path": "/content",
    "mod-ts-config": "\thandler evil.ts",
    "mod-ts-context": "2;t;http;80;192.0.2.1",
    "mod-ts-env": "REMOTE_USER=YWRtaW4=",
    "mod-ts-told": "x",
    cookie: ["a=1", "b=2"],
    te: "trailers",
  });
  t.equal(status, 200);
  t.match(JSON.parse(body), { user: null, ours: [], environment: null, cookie: ["a=1; b=2"] });
});
