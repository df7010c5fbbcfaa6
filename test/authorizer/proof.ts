import { createHash } from "node:crypto";
import t from "tap";
import { Proofs } from "../../src/authorizer/proof.ts";

const asked = { seal: "0123", file: "/srv/a" };
const sha1 = (text: string | Buffer): string => createHash("sha1").update(text).digest("hex");
/** As `mod_ts.conf` computes it. */
const mac = (text: string | Buffer): string =>
  sha1(`answer s3cret ${sha1(Buffer.concat([Buffer.from("answer s3cret "), Buffer.from(text)]))}`);

t.test("as Apache computes them", async (t) => {
  const proofs = new Proofs("s3cret");
  t.equal(
    proofs.passed(asked, "aa,bb"),
    [mac("judged 0123 aa,bb"), mac("passed /srv/a 0123 aa,bb")].join(),
  );
  t.equal(
    proofs.declined(asked, ["authz a.ts", "authz b.ts"]),
    [mac("declined 0123 /srv/a authz a.ts"), mac("declined 0123 /srv/a authz b.ts")].join(),
  );
  t.equal(proofs.answered("t=1"), mac("answered t=1"));
});

t.test("a proof of another request, file, judgment or secret is another one", async (t) => {
  const proofs = new Proofs("s3cret");
  const all = [
    proofs.passed(asked, "aa"),
    proofs.passed({ ...asked, seal: "0124" }, "aa"),
    proofs.passed(asked, "bb"),
    proofs.declined(asked, ["aa"]),
    new Proofs("other").passed(asked, "aa"),
  ].flatMap((text) => text.split(","));
  all.push(proofs.passed({ ...asked, file: "/srv/b" }, "aa").split(",")[1] ?? "");
  t.equal(new Set(all).size, all.length);
});

t.test("a file name that Apache may have in other bytes has a proof for each", async (t) => {
  const proofs = new Proofs("s3cret");
  const latin1 = Buffer.from("passed /\xe9 0123 aa", "latin1");
  t.same(
    proofs
      .passed({ ...asked, file: "/é" }, "aa")
      .split(",")
      .slice(1),
    [mac("passed /é 0123 aa"), mac(latin1)],
  );
  t.equal(proofs.passed({ ...asked, file: "/é€" }, "aa").split(",")[1], mac("passed /é€ 0123 aa"));
});
