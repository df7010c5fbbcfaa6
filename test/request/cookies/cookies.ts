import t from "tap";
import { Cookies } from "../../../src/request/cookies/cookies.ts";
import { serve } from "../../fixtures/exchange-server.ts";

const read = (...headers: string[]): [string, string][] => [...new Cookies(headers)];

t.test("pairs in the order sent, several headers joined", async (t) => {
  t.strictSame(read("a=1; b=2", "c=3;d=x=y"), [
    ["a", "1"],
    ["b", "2"],
    ["c", "3"],
    ["d", "x=y"],
  ]);
  t.strictSame(read(), []);
});

t.test("what is no pair is skipped, the rest counts", async (t) => {
  const odd = "; ;;a; =b; = ;x=1;\tc = 2 ; $Version=1;;";
  t.strictSame(read(odd), [
    ["x", "1"],
    ["c", "2"],
    ["$Version", "1"],
  ]);
});

t.test("quotes and escapes", async (t) => {
  const values = read('a="q"; b="; c="; d=""; e=%22%3B; f=50%; g=%ff; h=%E2%82%AC; i=a+b');
  t.strictSame(
    values.map(([, value]) => value),
    ["q", '"', '"', "", '";', "50%", "%ff", "€", "a+b"],
  );
});

t.test("the first of several, and all of them", async (t) => {
  const cookies = new Cookies(["a=1; b=2; a=3"]);
  t.equal(cookies.get("a"), "1");
  t.strictSame(cookies.getAll("a"), ["1", "3"]);
  t.strictSame(cookies.names(), ["a", "b"]);
  t.equal(cookies.size, 3);
  t.equal(cookies.get("A"), undefined, "case counts");
  t.strictSame(cookies.getAll("none"), []);
  t.ok(cookies.has("b"));
  t.notOk(cookies.has("none"));
});

t.test("no name is special", async (t) => {
  const cookies = new Cookies(["__proto__=1; constructor=2; toString=3"]);
  t.equal(cookies.get("__proto__"), "1");
  t.equal(cookies.get("constructor"), "2");
  t.equal(cookies.get("hasOwnProperty"), undefined);
  t.equal(({} as Record<string, unknown>)["1"], undefined);
});

t.test("a flood is read in time that grows with its length alone", async (t) => {
  const cookies = new Cookies(["a=1;".repeat(16_384)]);
  t.equal(cookies.size, 16_384);
  t.equal(new Cookies(['="'.repeat(32_768)]).size, 0);
});

t.test("req.cookies reads the headers of the request", async (t) => {
  const server = await serve(t, (req) => {
    t.equal(req.cookies, req.cookies);
    req.write(JSON.stringify([...req.cookies]));
  });
  const { body } = await server.ask("GET /\nCookie: a=1\ncookie: b=2");
  t.strictSame(JSON.parse(body), [
    ["a", "1"],
    ["b", "2"],
  ]);
});
