/**
 * Random and broken FastCGI through the state machine and through the whole door. By hand, in full:
 *
 *     FUZZ_RECORDS=10000000 FUZZ_SEED=1 node test/authorizer/fuzz.ts
 *
 * A failure names the seed of its session: FUZZ_SEED=<that> FUZZ_RECORDS=1 repeats it.
 */
import { createHash } from "node:crypto";
import { sealPairs } from "../fixtures/sealed.ts";
import { fetchHandler } from "../../src/handlers/applications/fetch.ts";
import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { FcgiConnection } from "../../src/authorizer/fastcgi.ts";
import { Authorizer } from "../../src/authorizer/server.ts";
import { createEngine } from "../../src/engine/phases.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { createResolver } from "../../src/engine/directives.ts";
import { cut, makeSession, type Meaning, Random, readMeaning } from "../fixtures/fastcgi-fuzz.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const records = Number(process.env["FUZZ_RECORDS"] ?? 60_000);
const secret = "0123456789abcdef";

/** Seeds of sessions, one after the other, until so many records have been sent. */
function* sessionSeeds(budget: { records: number }): Generator<number> {
  for (let next = seed; budget.records > 0; next = (next + 1) | 0) yield next;
}

/** Mostly short and odd, sometimes longer than a record. */
function anyPairs(random: Random): [string, string][] {
  return Array.from({ length: random.below(6) }, (_, index) => [
    random.chance(90) ? `NAME_${index}` : "",
    "v".repeat(random.pick([0, 1, 5, 127, 128, 129, random.chance(1) ? 70_000 : 300])),
  ]);
}

t.test("the connection means what the specification says", (t) => {
  const budget = { records };
  const totals = { sessions: 0, requests: 0, broken: 0 };
  for (const each of sessionSeeds(budget)) {
    const random = new Random(each);
    const session = makeSession(random, anyPairs);
    budget.records -= Math.max(session.records, 1);
    const expected = readMeaning(session.bytes);
    let actual: Meaning;
    try {
      actual = runConnection(cut(random, session.bytes));
    } catch (error) {
      return void t.fail(`seed ${each}: ${String((error as Error).stack)}`);
    }
    if (JSON.stringify(actual) !== JSON.stringify(expected)) {
      return void t.strictSame(actual, expected, `seed ${each}`);
    }
    totals.sessions += 1;
    totals.requests += actual.requests.length;
    totals.broken += Number(actual.broken);
  }
  // A fuzzer that only ever makes rubbish finds nothing.
  t.ok(totals.requests > totals.sessions / 10, `seed ${seed}: ${JSON.stringify(totals)}`);
  t.ok(totals.broken > totals.sessions / 50, "broken ones");
  t.comment(`${records} records from seed ${seed}: ${JSON.stringify(totals)}`);
  t.end();
});

function runConnection(pieces: readonly Buffer[]): Meaning {
  const connection = new FcgiConnection();
  const meaning: Meaning = { requests: [], broken: false };
  for (const piece of pieces) {
    for (const event of connection.push(piece)) {
      if (meaning.broken) throw new Error(`${event.type} after close`);
      if (event.type === "close") meaning.broken = true;
      if (event.type !== "request") continue;
      meaning.requests.push({ id: event.id, pairs: event.params.flat() });
    }
  }
  return meaning;
}

t.test("memory stays within its bounds", async (t) => {
  const connection = new FcgiConnection();
  const before = process.memoryUsage().arrayBuffers;
  const filling = Buffer.alloc(65_535 + 8, 1);
  for (const [index, byte] of [1, 4, 0, 1, 255, 255, 0, 0].entries()) filling[index] = byte;
  connection.push(Buffer.from([1, 1, 0, 1, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]));
  let closed = false;
  for (let count = 0; count < 4000 && !closed; count += 1) {
    closed = connection.push(filling).some(({ type }) => type === "close");
  }
  t.ok(closed, "parameters without end are refused");
  for (let count = 0; count < 1000; count += 1) connection.push(Buffer.alloc(65_536));
  t.ok(process.memoryUsage().arrayBuffers - before < 200 * 2 ** 20);
});

/** As Apache would say it; each of the parameters may go missing or wrong, before it is sealed or after. */
function apachePairs(random: Random): [string, string][] {
  const plain: [string, string][] = [
    ["SCRIPT_FILENAME", "/srv/a"],
    ["REQUEST_METHOD", "GET"],
    ["REQUEST_URI", "/a"],
    ["HTTP_X_KEY", random.chance(30) ? "open" : "shut"],
  ];
  const policy = ["ask", random.chance(80) ? "access mod_ts/judge" : `access ${random.pick(odd)}`];
  const pairs = sealPairs(plain, {
    policy,
    secret: random.chance(90) ? secret : random.pick(odd),
    file: random.chance(90) ? "/srv/a" : random.pick(odd),
  }).map(([name, value]): [string, string] => [name, value]);
  while (random.chance(35)) {
    const at = random.below(pairs.length);
    const [name, value] = pairs[at] as [string, string];
    const fault = random.below(4);
    if (fault === 0) pairs.splice(at, 1);
    else if (fault === 1) pairs.push([name, value]);
    else pairs[at] = fault === 2 ? [name, random.pick(odd)] : [`${name}_`, value];
    if (pairs.length === 0) break;
  }
  return pairs;
}

const odd = [
  "",
  "2",
  "mod_ts/none",
  "x.ts",
  "mod_ts/judge::none",
  "judge | .html",
  "::",
  "/srv/b",
  "\0",
  "\n",
  "é",
];

/** Whether a request may pass: a second, plain statement of the rules. */
function mayPass(pairs: readonly string[]): boolean {
  const names = pairs.filter((_, index) => index % 2 === 0);
  const get = (name: string): string | undefined => pairs[names.indexOf(name) * 2 + 1];
  const [, lines = "", line = "", file = "", mac] =
    /^([^]*)\nseal ((?:\S* ){4}(\S*)) ([0-9a-f]{40})$/.exec(get("MOD_TS_POLICY") ?? "") ?? [];
  const method = names.includes("REQUEST_METHOD") ? get("REQUEST_METHOD") : "";
  const query = names.includes("QUERY_STRING") ? get("QUERY_STRING") : "";
  const sha1 = (text: string): string =>
    createHash("sha1").update(`authorizer ${secret} ${text}`).digest("hex");
  return (
    new Set(names).size === names.length &&
    mac === sha1(sha1(`${line} ${method}     ${query}${lines}`)) &&
    Buffer.from(file, "base64").toString() === get("SCRIPT_FILENAME") &&
    lines === "\nask\naccess mod_ts/judge" &&
    get("HTTP_X_KEY") === "open"
  );
}

function createDoor(verdict: (req: ApacheRequest) => number): Authorizer {
  const resolve = createResolver({
    roots: [],
    load: () => Promise.reject(new Error("no files here")),
    builtins: { judge: { accessHandler: verdict } },
  });
  const engine = createEngine({
    resolve,
    fallback: async () => 404,
    application: fetchHandler,
    handlerTimeout: 1000,
  });
  return new Authorizer({ engine, interpreter: "main", secret });
}

/** A connection whose other end keeps what it gets. */
class Line extends Duplex {
  text = "";
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString("latin1");
    done();
  }
}

async function runDoor(door: Authorizer, pieces: readonly Buffer[]): Promise<number> {
  const line = new Line();
  line.on("error", () => {});
  door.accept(line as unknown as Socket);
  for (const piece of pieces) line.push(piece);
  line.push(null);
  for (let count = 0; count < 6; count += 1) await turn();
  line.destroy();
  return line.text.split("Status: 200").length - 1;
}

interface Totals {
  /** Sessions that let more pass than they may. */
  wrong: string[];
  allowed: number;
  expected: number;
}

async function fuzzDoor(
  door: Authorizer,
  judge: (allowed: number, expected: number) => boolean,
): Promise<Totals> {
  const budget = { records: records / 10 };
  const totals: Totals = { wrong: [], allowed: 0, expected: 0 };
  for (const each of sessionSeeds(budget)) {
    const random = new Random(each);
    const session = makeSession(random, apachePairs);
    budget.records -= Math.max(session.records, 1);
    const { requests } = readMeaning(session.bytes);
    const expected = requests.filter(({ pairs }) => mayPass(pairs)).length;
    const allowed = await runDoor(door, cut(random, session.bytes));
    totals.allowed += allowed;
    totals.expected += expected;
    if (!judge(allowed, expected)) totals.wrong.push(`seed ${each}: ${allowed} of ${expected}`);
  }
  return totals;
}

t.test("a handler that always denies: nothing ever passes", async (t) => {
  const door = createDoor(() => 403);
  const { wrong, allowed, expected } = await fuzzDoor(door, (count) => count === 0);
  t.strictSame(wrong, []);
  t.equal(allowed, 0);
  t.ok(expected > 0, "though some were complete and asked for it well");
});

t.test("a handler that decides: nothing passes that should not", async (t) => {
  const door = createDoor((req) => (req.headersIn.get("x-key") === "open" ? 0 : 403));
  const { wrong, allowed, expected } = await fuzzDoor(door, (count, most) => count <= most);
  t.strictSame(wrong, []);
  t.ok(allowed > 0, `and what should, does, until the first answer ends it: of ${expected}`);
  t.comment(`${allowed} allowed of ${expected} that might be, seed ${seed}`);
});
