/** The list of what is wrong. */
import t from "tap";
import { badParameters } from "../../src/publisher/problems.ts";
import { HeaderTable } from "../../src/request/headers.ts";
import type { ApacheRequest } from "../../src/request/request.ts";

const asking = (accept: string): ApacheRequest =>
  ({ headersIn: new HeaderTable({ accept }) }) as unknown as ApacheRequest;
const problems = [
  { parameter: "a.0", message: "is wrong" },
  { parameter: "", message: "too few" },
];

t.test("as text, or as JSON to whoever accepts it", async (t) => {
  t.match(badParameters(asking("text/html"), problems), {
    outcome: 400,
    body: "a.0: is wrong\ntoo few\n",
    headers: { "Content-Type": "text/plain; charset=utf-8", Vary: "Accept" },
  });
  const json = badParameters(asking("text/html, application/json;q=0.5"), problems);
  t.match(json.headers, { "Content-Type": "application/json", Vary: "Accept" });
  t.same(JSON.parse(json.body ?? ""), { problems });
});

t.test("a list of a hundred is long enough", async (t) => {
  const many = Array.from({ length: 5000 }, () => ({ parameter: "a", message: "is wrong" }));
  t.equal(badParameters(asking(""), many).body?.split("\n").length, 101);
});
