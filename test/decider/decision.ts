import t from "tap";
import { Decisions } from "../../src/decider/decision.ts";
import { digest } from "../../src/engine/changes.ts";

const subject = {
  path: Buffer.from("/a b\xff", "latin1"),
  requestLine: Buffer.from("GET /x HTTP/1.1"),
  remoteAddress: "192.0.2.7",
  remotePort: "4000",
};
const decision = {
  depth: 2,
  judged: [digest("fixup h.ts"), digest("trans h.ts")],
  fields: new Map([
    ["type", "text/x; a=b"],
    ["env.NAME", "ü, ;="],
  ]),
};
const decisions = new Decisions("0123456789abcdef");

t.test("a decision comes back as it was written", (t) => {
  const header = decisions.write(decision, subject);
  t.match(header, /^[0-9a-f]{40};1;[\x21-\x7e]+$/, "one word");
  t.match(decisions.read(header, subject), { ...decision, path: subject.path });
  t.match(decisions.read(`an older one, ${header}`, subject), decision, "the last one counts");
  t.end();
});

t.test("it holds for one request line, client, secret and text", (t) => {
  const header = decisions.write(decision, subject);
  for (const change of [
    { requestLine: Buffer.from("GET /y HTTP/1.1") },
    { remoteAddress: "192.0.2.8" },
    { remotePort: "4001" },
  ]) {
    t.equal(
      decisions.read(header, { ...subject, ...change }),
      undefined,
      Object.keys(change).join(),
    );
  }
  t.equal(new Decisions("fedcba9876543210").read(header, subject), undefined);
  t.equal(decisions.read(header.replace(";2;", ";3;"), subject), undefined);
  for (const odd of ["", "1;;;", header.slice(0, -1), `${header}, x`]) {
    t.equal(decisions.read(odd, subject), undefined);
  }
  t.end();
});

t.test("one that Apache would not read is an error", (t) => {
  const fields = new Map([["env.X", "x".repeat(8000)]]);
  t.throws(() => decisions.write({ ...decision, fields }, subject), {
    code: "MODTS_DECISION_TOO_LONG",
  });
  t.end();
});
