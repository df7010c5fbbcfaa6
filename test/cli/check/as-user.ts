import { once } from "node:events";
import { chmodSync, chownSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import t from "tap";
import { tryAs } from "../../../src/cli/check/as-user.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

const isRoot = process.geteuid?.() === 0;
const nobody = { user: 65_534, group: 65_534, groups: [] };

t.test("without the rights of root nothing is found out", { skip: isRoot }, async (t) => {
  t.equal(await tryAs(nobody, [{ kind: "read", path: "/etc/passwd" }]), undefined);
});

t.test(
  "files and sockets as another user finds them",
  { skip: !isRoot && "not root" },
  async (t) => {
    const folder = shortFolder(t, { "open.txt": "", "closed.txt": "", "group.txt": "" });
    chmodSync(folder, 0o755);
    chmodSync(join(folder, "closed.txt"), 0o600);
    chmodSync(join(folder, "group.txt"), 0o640);
    chownSync(join(folder, "group.txt"), 0, 4242);
    const server = createServer().listen(join(folder, "a.sock"));
    await once(server, "listening");
    t.teardown(() => server.close());
    chmodSync(join(folder, "a.sock"), 0o600);
    const read = (name: string) => ({ kind: "read", path: join(folder, name) }) as const;
    const attempts = [
      read("open.txt"),
      read("closed.txt"),
      read("group.txt"),
      read("missing.txt"),
      { kind: "connect", path: join(folder, "a.sock") },
    ] as const;
    t.same(
      await tryAs(nobody, attempts),
      ["", "EACCES", "EACCES", "ENOENT", "EACCES"],
      "a stranger opens what is open to all",
    );
    t.match(
      await tryAs({ ...nobody, groups: [4242] }, attempts),
      ["", "EACCES", "", "ENOENT", "EACCES"],
      "a member of the group opens its files, too",
    );
    t.equal(
      await tryAs({ user: "no-such-user", group: 1 }, attempts),
      undefined,
      "a user that does not exist opens nothing",
    );
  },
);
