import t from "tap";
import {
  authorizers,
  deciders,
  defaultGroup,
  groupId,
  listeners,
} from "../../src/config/listeners.ts";

t.test("a socket for each pool", async (t) => {
  const sockets = listeners(["reports", "main", "admin"], undefined, "/run/x");
  t.same(
    sockets.map(({ pool, address }) => [pool, address]),
    [
      ["main", { path: "/run/x/main.sock" }],
      ["admin", { path: "/run/x/admin.sock" }],
      ["reports", { path: "/run/x/reports.sock" }],
    ],
    "main first, then in alphabetical order",
  );
  t.ok(sockets.every(({ transport }) => transport === "gateway"));
});

t.test("a port for each pool", async (t) => {
  const ports = listeners(["b", "a"], { host: "::1", port: 9700 }, "/run/x");
  t.same(
    ports.map(({ pool, address }) => [pool, address]),
    [
      ["main", { host: "::1", port: 9700 }],
      ["a", { host: "::1", port: 9701 }],
      ["b", { host: "::1", port: 9702 }],
    ],
    "one after the other",
  );
});

t.test("access control is asked over TCP, on this machine", async (t) => {
  t.same(authorizers(undefined, "/run/x", "main"), [], "none by default");
  const address = { host: "127.0.0.1", port: 9 };
  t.same(authorizers({ port: 9 }, "/run/x", "guards"), [
    {
      pool: "guards",
      transport: "authorizer",
      address,
      shared: true,
      marker: "/run/x/authorizer.listening",
    },
  ]);
  t.match(authorizers({ host: "::1", port: 9 }, "/run/x", "main"), [{ address: { host: "::1" } }]);
});

t.test("Apache is sent on over a Unix socket only", async (t) => {
  t.match(deciders(undefined, "/run/x", "main"), [{ address: { path: "/run/x/decide.sock" } }]);
  t.same(deciders({ host: "127.0.0.1", port: 1 }, "/run/x", "main"), [], "never over TCP");
});

t.test("the id of a group, by name or number", async (t) => {
  t.equal(groupId("root"), 0);
  t.equal(groupId("17"), 17);
  t.equal(groupId("no-such-group"), undefined);
});

t.test("the default is a group that exists", async (t) => {
  const name = defaultGroup();
  t.ok(name === undefined || groupId(name) !== undefined, name ?? "none");
});
