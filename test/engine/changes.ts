import t from "tap";
import { changesOf, formatDigests, formatFields } from "../../src/engine/changes.ts";
import { ApacheRequest } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

const exchange = {} as ConstructorParameters<typeof ApacheRequest>[1];
const newRequest = (): ApacheRequest => new ApacheRequest(contextOf(), exchange);
const accepted = new Set(["env.theme", "in.x-user"]);

t.test("a request that nobody changed has no changes", (t) => {
  t.equal(changesOf(newRequest(), accepted).size, 0);
  t.end();
});

t.test("changes of handlers", (t) => {
  const req = newRequest();
  req.contentType = "text/x-a";
  req.handler = "proxy:unix:/run/php.sock|fcgi://localhost";
  req.user = "jörg";
  req.subprocessEnv.set("THEME", "dark");
  req.subprocessEnv.set("OTHER", "1");
  req.headersIn.set("X-User", "jörg");
  req.headersIn.set("X-Other", "1");
  t.strictSame(Object.fromEntries(changesOf(req, accepted)), {
    type: "text/x-a",
    handler: "proxy:unix:/run/php.sock|fcgi://localhost",
    user: "jörg",
    "env.THEME": "dark",
    "in.X-User": "jörg",
  });
  t.end();
});

t.test("a header that handlers spell otherwise, or remove", (t) => {
  const req = new ApacheRequest(contextOf({ rawHeaders: ["X-User", "forged"] }), exchange);
  req.headersIn.set("x-user", "ann");
  t.strictSame([...changesOf(req, accepted)], [["in.x-user", "ann"]]);
  req.headersIn.delete("x-user");
  t.strictSame([...changesOf(req, accepted)], [["in.X-User", ""]]);
  t.end();
});

t.test("what Apache cannot take is an error", (t) => {
  for (const handler of ["a b", 'a"b', "%{reqenv:X}", "a\nb"]) {
    const req = newRequest();
    req.handler = handler;
    t.throws(() => changesOf(req, accepted), { code: "MODTS_BAD_HEADER" }, handler);
  }
  const req = newRequest();
  req.user = "a\nb";
  t.throws(() => changesOf(req, accepted), { code: "MODTS_BAD_HEADER" });
  t.end();
});

t.test("fields and digests as Apache's expressions read them", (t) => {
  t.strictSame(formatFields([["env.A", "ü;"]]), [`env.A=${Buffer.from("ü;").toString("base64")}`]);
  t.equal(formatDigests([]), "");
  t.equal(formatDigests(["a", "b"]), ",a,b,", "no base64 looks like one of them");
  t.end();
});
