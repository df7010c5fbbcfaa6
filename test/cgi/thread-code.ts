/** Our own modules, compiled for threads. */
import t from "tap";
import { compileThreadCode } from "../../src/cgi/thread-code.ts";

t.test("a TypeScript module with all that it imports of ours", async (t) => {
  const entry = new URL("../../src/cgi/thread-main.ts", import.meta.url).href;
  const code = compileThreadCode(entry);
  const names = Object.keys(code).map((url) => url.split("/src/")[1] ?? url);
  t.ok(names.includes("cgi/thread-main.ts"));
  t.ok(names.includes("cgi/thread-input.ts"), "what they import, too");
  t.notMatch(Object.values(code).join(), /\binterface ThreadData\b/);
});

t.test("JavaScript is loaded from its file", async (t) => {
  t.same(compileThreadCode("file:///srv/dist/cgi/thread-main.js"), {});
});
