import t from "tap";
import { prove } from "../../src/httpd/prove.ts";
import { requireHttpd } from "../fixtures/httpd.ts";

t.test("the proof holds on this machine", async (t) => {
  const findings = await prove(await requireHttpd());
  t.equal(findings.length, 9);
  t.strictSame(
    findings.filter(({ level }) => level !== "ok"),
    [],
  );
});

t.test("without the modules nothing is proved", async (t) => {
  const httpd = { ...(await requireHttpd()), moduleDirectory: t.testdir({}) };
  await t.rejects(prove(httpd), { code: "MODTS_HTTPD_FAILED" });
});
