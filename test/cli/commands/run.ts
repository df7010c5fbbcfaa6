import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { parseCommand, UsageError } from "../../../src/cli/commands/command.ts";
import { createRequest, options } from "../../../src/cli/commands/run.ts";

const request = (...argv: string[]): ReturnType<typeof createRequest> =>
  createRequest(parseCommand(options, argv));

t.test("the request that a command line means", async (t) => {
  t.match(request("hello.ts"), {
    handlers: { handler: "hello.ts" },
    method: "GET",
    url: new URL("http://localhost/"),
    headers: [],
    body: undefined,
    options: [],
    user: "",
    debug: false,
  });
  t.match(
    request("a.ts::b", "--url", "/x?y=1", "-H", "Accept: text/html", "-o", "k=v=w", "--debug"),
    {
      url: new URL("http://localhost/x?y=1"),
      headers: ["Accept", "text/html"],
      options: [["k", "v=w"]],
      debug: true,
    },
  );
  t.equal(request("a.ts", "--url", "https://example.org:8443/").url.port, "8443");
});

t.test("data", async (t) => {
  const posted = request("a.ts", "--data", "a=1");
  t.match(posted, { method: "POST", body: Buffer.from("a=1") });
  t.same(posted.headers, [
    "Content-Length",
    "3",
    "Content-Type",
    "application/x-www-form-urlencoded",
  ]);
  const file = join(t.testdir({}), "body");
  writeFileSync(file, "{}");
  const json = request("a.ts", "-X", "put", "-d", `@${file}`, "-H", "content-type: text/json");
  t.equal(json.method, "PUT");
  t.same(json.headers, ["content-type", "text/json", "Content-Length", "2"]);
});

t.test("mistakes", async (t) => {
  const wrong = [
    [],
    ["a.ts", "--header", "nocolon"],
    ["a.ts", "--option", "noequals"],
    ["a.ts", "--url", "ftp://x/"],
    ["a.ts", "--url", "http://"],
    ["a.ts", "--url", "/%zz"],
    ["a.ts", "--data", "@/no/such/file"],
  ];
  for (const argv of wrong) t.throws(() => request(...argv), UsageError, argv.join(" "));
});
