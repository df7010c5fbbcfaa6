/** What becomes a ticket, and what it says; Apache's side is tested in `test/apache/tickets.ts`. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { DenyExchange } from "../../src/authorizer/answer.ts";
import { createContext } from "../../src/authorizer/context.ts";
import type { Pairs } from "../../src/authorizer/fastcgi.ts";
import { ObservedRequest } from "../../src/authorizer/observed-request.ts";
import { type TicketDraft, Tickets } from "../../src/authorizer/tickets.ts";
import { type AccessQuestion, createTrustCheck, Grants } from "../../src/authorizer/trust.ts";
import { prepareTickets, TicketStore } from "../../src/base/ticket-store.ts";
import { parseDirectives } from "../../src/engine/directives.ts";
import { addTerms, internals } from "../../src/request/internals.ts";
import { sealPairs } from "../fixtures/sealed.ts";

const secret = "0123456789abcdef";
const visitor = `ticket ${"a".repeat(40)}`;
const lines = ["ask", "authen guard.ts", visitor];
const params: Record<string, string> = {
  SCRIPT_FILENAME: "/srv/www/a",
  DOCUMENT_ROOT: "/srv/www",
  REQUEST_METHOD: "GET",
  REQUEST_SCHEME: "http",
  REMOTE_ADDR: "192.0.2.7",
  REMOTE_PORT: "40000",
  SERVER_NAME: "www.example.org",
  SERVER_PORT: "80",
};

interface Setup {
  params?: Record<string, string>;
  policy?: readonly string[];
}

function ask({ params: more = {}, policy = lines }: Setup = {}): AccessQuestion {
  const pairs: Pairs = Object.entries({ ...params, ...more });
  return createTrustCheck(secret)(sealPairs(pairs, { policy, secret }));
}

/** A directory of tickets, and a handler, both quiet for a while. */
function open(t: Test, withSecret = secret) {
  const run = mkdtempSync(join(tmpdir(), "tickets-"));
  t.teardown(() => rmSync(run, { recursive: true, force: true }));
  const handler = join(run, "guard.ts");
  writeFileSync(handler, "");
  prepareTickets(run, undefined);
  letRest(join(run, "tickets/key"));
  const grants = new Grants(withSecret);
  const tickets = new Tickets({ run, secret: withSecret, grants, handlerFiles: () => [handler] });
  t.teardown(() => tickets.close());
  return {
    run,
    handler,
    tickets,
    grants,
    store: new TicketStore(run),
    directory: join(run, "tickets"),
  };
}

/** Returns when a decision that begins now cannot be taken for one from before the last change. */
function letRest(file: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (Date.now() <= statSync(file).ctimeMs + 100) Atomics.wait(pause, 0, 0, 10);
}

/** A request as the handlers have left it. */
function decided(question: AccessQuestion, draft: TicketDraft, options: readonly string[] = []) {
  const directives = parseDirectives([...options]);
  const req = new ObservedRequest(createContext(question, directives, "main"), new DenyExchange());
  req[internals].terms = draft;
  req.user = "ann";
  return req;
}

/** Files below the directories of slots, as `end/owner/digest`. */
function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((path) =>
    /^\d{10}\/[0-9a-f]{16}\/[0-9a-f]{40}$/.test(path),
  );
}

/** The decision of a question, with `act` between its begin and its end. */
function decide(
  t: Test,
  setup: Setup = {},
  {
    options = [],
    act = () => {},
  }: {
    options?: string[];
    act?: (req: ObservedRequest, run: ReturnType<typeof open>) => void;
  } = {},
) {
  const opened = open(t);
  const { tickets, directory } = opened;
  const question = ask(setup);
  const draft = tickets.begin(question);
  if (!draft) throw new Error("no draft");
  const req = decided(question, draft, options);
  act(req, opened);
  tickets.finish(draft, req, req.seen, ["authen guard.ts"]);
  const [cookie] = req.errHeadersOut.getAll("Set-Cookie");
  return { ...opened, question, req, files: filesOf(directory), cookie };
}

t.test("an OK becomes the file that Apache looks for, and the cookie that names it", async (t) => {
  const { files, cookie = "", directory, question } = decide(t);
  const [, end, owner, key, user] =
    /^mod_ts_ticket=(\d{10})\/([0-9a-f]{16})\/([\w-]{43})\/([\w+/]*=*); Max-Age=300; Path=\/; HttpOnly; SameSite=Lax$/.exec(
      cookie,
    ) ?? [];
  t.equal(user, btoa("ann"));
  const text = `ticket ${key} ${user}${question.sealedPolicy?.toString()}`;
  const digest = createHash("sha1").update(text).digest("hex");
  t.same(files, [`${end}/${owner}/${digest}`]);
  const left = Number(end) - Date.now() / 1000;
  t.ok(left > 280 && left <= 301, `valid for five minutes, cut to ten seconds: ${left}`);
  t.match(readFileSync(join(directory, files[0] ?? ""), "utf8"), /^ann\n\n\n\n[\w-]+\n$/);
});

t.test("what a ticket says of sub-requests is sealed, and read by its path only", async (t) => {
  const { files, directory, tickets, grants } = decide(t);
  const granted = tickets.read(join(directory, files[0] ?? "")) ?? "";
  t.match(grants.readTicket(granted, new Map(Object.entries(params))), {
    policy: lines.join("\n"),
    judged: [createHash("sha1").update("authen guard.ts").digest("hex")],
  });
  t.equal(tickets.read(join(directory, "key")), undefined);
});

t.test("a question that may not become a ticket", async (t) => {
  const { tickets, grants } = open(t);
  t.ok(tickets.begin(ask()), "one that may");
  const setups: Record<string, Setup> = {
    "for a provider": { policy: ["authen guard.ts", visitor] },
    "with content of ours": { policy: [...lines, "content"] },
    "with a type handler": { policy: [...lines, "type a.ts"] },
    "with a fixup handler": { policy: [...lines, "fixup a.ts"] },
    HEAD: { params: { REQUEST_METHOD: "HEAD" } },
    POST: { params: { REQUEST_METHOD: "POST" } },
    "an ErrorDocument": { params: { MOD_TS_STATUS: "404" } },
    "an authorization": { params: { FCGI_APACHE_ROLE: "AUTHORIZER" } },
  };
  for (const [name, setup] of Object.entries(setups)) {
    t.equal(tickets.begin(ask(setup)), undefined, name);
  }
  const question = ask();
  const grant = grants.read(grants.write(question, [], "").grant, question.params);
  t.equal(tickets.begin({ ...question, grant }), undefined, "a further question");
  const { sealedPolicy: _, ...subRequest } = question;
  t.equal(tickets.begin(subRequest), undefined, "a sub-request");
  t.equal(open(t, "").tickets.begin(ask()), undefined, "without a secret");
  tickets.close();
  t.equal(tickets.begin(ask()), undefined, "without a supervisor");
});

t.test("an OK that says more than a ticket can repeat", async (t) => {
  const cases: Record<string, (req: ObservedRequest) => unknown> = {
    "the path": (req) => req.uri,
    "a header": (req) => req.headersIn.get("referer"),
    "a variable of its own": (req) => req.subprocessEnv.set("TENANT", "7"),
    "a header of its own": (req) => req.headersOut.set("X-Tenant", "7"),
    "a line break in a name": (req) => (req.user = "ann\nroot"),
    "a line break in a variable": (req) => req.subprocessEnv.set("REMOTE_NAME", "a\nb"),
  };
  for (const [name, act] of Object.entries(cases)) {
    const { files, cookie } = decide(t, {}, { act: (req) => void act(req) });
    t.same([files, cookie], [[], undefined], name);
  }
});

t.test("groups, name and email are repeated by the file, which the cookie says", async (t) => {
  const act = (req: ObservedRequest): void => {
    req.subprocessEnv.set("REMOTE_GROUPS", "staff");
    req.subprocessEnv.set("REMOTE_EMAIL", "a@b");
  };
  const { files, cookie = "", directory } = decide(t, {}, { act });
  t.match(cookie, new RegExp(`/${btoa("ann")}~;`));
  t.match(readFileSync(join(directory, files[0] ?? ""), "utf8"), /^ann\nstaff\n\na@b\n/);
});

t.test("options: lifetime, scope, secure", async (t) => {
  const short = decide(t, {}, { options: ["option mod_ts.ticket.lifetime 20"] });
  t.match(short.cookie, / Max-Age=20;/);
  const promised = decide(
    t,
    {},
    { options: ["option mod_ts.ticket.scope section"], act: (req) => void req.uri },
  );
  t.equal(promised.files.length, 1, "the administrator says that the path does not matter");
  const secure = decide(t, {}, { options: ["option mod_ts.ticket.secure on"] });
  t.match(secure.cookie, /^__Host-mod_ts_ticket=.*; Path=\/;.*; Secure$/);
  const tls = decide(t, { params: { REQUEST_SCHEME: "https", SERVER_PORT: "443" } });
  t.match(tls.cookie, /^__Host-mod_ts_ticket=.*; Secure$/);
  for (const option of ["lifetime 5", "lifetime 7200", "scope any", "secure off", "other 1"]) {
    const wrong = { options: [`option mod_ts.ticket.${option}`] };
    t.throws(() => decide(t, {}, wrong), { code: /^MODTS_/ }, option);
  }
});

t.test("a ticket never outlives what the decision depended on", async (t) => {
  const until = (ms: number) => ({
    act: (req: ObservedRequest): void => addTerms(req, [], Date.now() + ms),
  });
  const { cookie = "" } = decide(t, {}, until(30_000));
  t.match(cookie, / Max-Age=(?:29|30);/);
  t.ok(Number(/\d{10}/.exec(cookie)?.[0]) <= Date.now() / 1000 + 30);
  t.same(decide(t, {}, until(5000)).files, [], "a session that is about to end");
});

t.test("a revocation or a change during the decision leaves no ticket", async (t) => {
  const cases: Record<string, (req: ObservedRequest, run: ReturnType<typeof open>) => void> = {
    "of the user": (_, { store }) => store.revoke(store.ownerOf({ user: "ann" })),
    "of all": (_, { store }) => store.revokeAll(),
    "of a handler": (_, { handler }) => writeFileSync(handler, "changed"),
    "of a file that it read": (req, { run }) => {
      writeFileSync(join(run, "users"), "");
      addTerms(req, [join(run, "users")]);
    },
  };
  for (const [name, act] of Object.entries(cases)) {
    const { files, cookie } = decide(t, {}, { act });
    t.same([files, cookie], [[], undefined], name);
  }
  const act = (_: unknown, { store }: ReturnType<typeof open>): void =>
    store.revoke(store.ownerOf({ user: "bob" }));
  t.equal(decide(t, {}, { act }).files.length, 1, "of somebody else");
});

t.test("a visitor with a ticket keeps its end, and gets no second cookie", async (t) => {
  const opened = open(t);
  const { tickets, directory } = opened;
  const answer = (policy: readonly string[], cookie = "") => {
    const question = ask({ policy, params: cookie ? { HTTP_COOKIE: cookie } : {} });
    const draft = tickets.begin(question);
    if (!draft) throw new Error("no draft");
    const req = decided(question, draft);
    tickets.finish(draft, req, req.seen, ["authen guard.ts"]);
    return req.errHeadersOut.getAll("Set-Cookie").map((line) => line.split(";")[0] ?? "");
  };
  const [cookie = ""] = answer(lines);
  t.same(answer(["ask", "authen guard.ts", "option a b", visitor], cookie), [], "another section");
  t.equal(filesOf(directory).length, 2, "a file for each section");
  t.equal(
    new Set(filesOf(directory).map((path) => path.slice(0, 27))).size,
    1,
    "one end, one owner",
  );
  t.equal(
    answer(lines, cookie.replace(/\/[\w-]{43}\//, `/${"A".repeat(43)}/`)).length,
    1,
    "a key of their own",
  );
  t.equal(answer(lines, cookie.replace(/=\d{10}/, "=9999999990")).length, 1, "an end of their own");
});

t.test("the end of the run ends the directory, unless there is a new run", async (t) => {
  const one = decide(t);
  one.tickets.close();
  t.notOk(existsSync(one.directory));
  const other = decide(t);
  prepareTickets(other.run, undefined);
  other.tickets.close();
  t.ok(existsSync(other.directory));
});
