import t from "tap";
import { unprivilegedUser } from "../../src/httpd/identity.ts";

t.test("the user that httpd usually is", async (t) => {
  const passwd = [
    "root:x:0:0:root:/root:/bin/sh",
    "nobody:x:65534:65533:nobody:/:/sbin/nologin",
    "apache:x:48:49::/:/sbin/nologin",
    "",
  ].join("\n");
  t.strictSame(unprivilegedUser(passwd), { name: "apache", uid: 48, gid: 49 });
  t.equal(unprivilegedUser("root:x:0:0:root:/root:/bin/sh\n"), undefined);
  t.ok(unprivilegedUser()?.uid, "this machine has one");
});
