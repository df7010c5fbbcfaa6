import type { IncomingMessage } from "node:http";
import t from "tap";
import { relocate } from "../../src/origin/relocate.ts";
import type { ForeignOrigin } from "../../src/origin/settings.ts";

const origin: ForeignOrigin = {
  name: "",
  target: { protocol: "http:", hostname: "app.example", port: "8080" },
  base: "/base",
  strip: "/app",
  preserveHost: false,
};

const moved = (address: string, change: Partial<ForeignOrigin> = {}): string | undefined => {
  const answer = { rawHeaders: ["X", address, "LOCATION", address] } as unknown as IncomingMessage;
  relocate(answer, { ...origin, ...change });
  return answer.rawHeaders[1] === address ? answer.rawHeaders[3] : undefined;
};

t.test("what leads to the other server leads here", async (t) => {
  t.equal(moved("http://app.example:8080/base/x?y#z"), "/app/x?y#z");
  t.equal(moved("http://APP.example:8080/base"), "/app/");
  t.equal(moved("http://app.example:8080/x", { base: "", strip: "" }), "/x");
});

t.test("a path is never taken for a host", async (t) => {
  for (const path of ["//evil.example/x", "/\\evil.example/x", "///evil.example/x"]) {
    const here = moved(`http://app.example:8080${path}`, { base: "", strip: "" }) ?? "";
    t.equal(new URL(here, "http://www.example.org/a").host, "www.example.org", path);
    t.match(new URL(here, "http://www.example.org/a").pathname, /^\/\/+evil\.example\/x$/);
  }
  t.equal(moved("http://app.example:8080/base//evil.example"), "/app//evil.example");
});

t.test("anything else stays", async (t) => {
  const others = [
    "/base/x",
    "x",
    "http://app.example/base/x",
    "https://app.example:8080/base/x",
    "http://other.example/base/x",
    "http://app.example:8080/based",
    "//app.example:8080/base",
    "::",
  ];
  for (const address of others) t.equal(moved(address), address);
});
