import t from "tap";
import { parseBasicAuth } from "../../src/request/basic-auth.ts";

const header = (text: string | Buffer): string => `Basic ${Buffer.from(text).toString("base64")}`;

t.test("reads credentials", async (t) => {
  t.strictSame(parseBasicAuth(header("bob:pass:word")), { user: "bob", password: "pass:word" });
  t.strictSame(parseBasicAuth(header(":")), { user: "", password: "" });
  t.strictSame(parseBasicAuth(`basic  ${header("a:b").slice(6)} `), { user: "a", password: "b" });
});

t.test("UTF-8 if it is valid, else Latin-1", async (t) => {
  t.equal(parseBasicAuth(header("jörg:ß€"))?.password, "ß€");
  t.equal(parseBasicAuth(header(Buffer.from("j\xf6rg:\xdf", "latin1")))?.user, "j\xf6rg");
});

t.test("refuses what is not Basic or malformed", async (t) => {
  const headers = [
    undefined,
    "",
    "Basic",
    "Bearer YTpi",
    "Basic !!!!",
    "Basic YTpi extra",
    "BasicYTpi",
    header("nocolon"),
    header("a\0b:c"),
    header("a:b\n"),
    header("a:b\x7f"),
  ];
  for (const value of headers) t.equal(parseBasicAuth(value), undefined, JSON.stringify(value));
});
