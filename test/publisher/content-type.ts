/** What is a page, and who says so. */
import t from "tap";
import { isPage, keepPlain, setType } from "../../src/publisher/content-type.ts";
import { noFields } from "../../src/publisher/fields.ts";
import { Form } from "../../src/request/form.ts";
import { serve } from "../fixtures/exchange-server.ts";

t.test("a document from its beginning to its end", async (t) => {
  for (const text of [
    "<html></html>",
    "<!DOCTYPE html>\n<html><p>a</p></html>\n",
    "\ufeff \n<!doctype HTML><HTML></HTML >  \n",
    `<html lang="de">${"x".repeat(100_000)}</html>`,
    "<!doctype html><title>a</title><p>b</html>",
  ]) {
    t.ok(isPage(text), text.slice(0, 40));
  }
});

t.test("text with a page in it is none", async (t) => {
  for (const text of [
    "",
    "a < b",
    "<p>a</p>",
    "<html>",
    "</html>",
    "Hello <html></html>",
    "<html></html> is here",
    "<htmlx></html>",
    "<html></htmlx>",
    `<html></html>${" ".repeat(200)}`,
  ]) {
    t.notOk(isPage(text), text.slice(0, 40));
  }
});

t.test("what was sent makes no page of what is given", async (t) => {
  const page = "<html><script></script></html>";
  const server = await serve(t, async (req) => {
    const form =
      req.args === "none"
        ? noFields
        : new Form([
            ["a", "  "],
            ["text", ` ${page}`],
          ]);
    keepPlain(req, req.headersIn.get("given") ?? "", form);
    req.write(String(req[Symbol.for("mod_ts.internals") as never]["response"]["contentType"]));
  });
  const ask = async (given: string): Promise<string> =>
    (await server.ask(`GET /\nGiven: ${given}`)).body;
  t.equal(await ask(page), "text/plain");
  t.equal(await ask(`${page} and more </html>`), "text/plain");
  t.equal(
    await ask(`<html>${page}</html>`),
    "undefined",
    "a page of the author's, with theirs in it",
  );
  t.equal(await ask("text"), "undefined");
});

t.test("the author's word counts", async (t) => {
  const server = await serve(t, (req) => {
    if (req.uri === "/a/b") req.headersOut.set("Content-Type", "text/x-own");
    setType(req, "text/plain");
    req.write("a");
  });
  t.equal((await server.ask("GET /")).headers["content-type"], "text/x-own; charset=utf-8");
  const set = await serve(t, (req) => {
    req.contentType = "text/x-set";
    setType(req, "text/plain");
    req.write("a");
  });
  t.equal((await set.ask("GET /")).headers["content-type"], "text/x-set; charset=utf-8");
});
