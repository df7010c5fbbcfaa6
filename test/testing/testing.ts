/** Tests of handlers in a test runner, as their authors write them. */
import t from "tap";
import { openHandlers } from "../../src/testing/testing.ts";

const folder = t.testdir({
  "site.ts": `
    import { OK } from "mod-ts";
    const seen = (import.meta.state["seen"] ??= { count: 0 });
    export function handler(req) {
      req.contentType = "text/plain";
      req.write([req.user, req.getOptions()["greeting"], ++seen.count].join(" "));
      return OK;
    }
    export async function upload(req) {
      const form = await req.form();
      return Response.json({ name: form.text("name"), size: form.file("file").size });
    }
    export async function visits(req) {
      const session = await req.session();
      session.data.visits = (session.data.visits ?? 0) + 1;
      req.write(String(session.data.visits));
    }
    export async function stream(req) {
      req.write("first ");
      await req.flush();
      req.write("last");
    }
    export const none = () => new Response(null, { status: 204 });
    export const authenHandler = (req) => {
      if (req.headersIn.get("authorization") !== "Basic " + btoa("ann:secret")) return 401;
      req.user = "ann";
      return OK;
    };
  `,
});

t.test("requests through the real engine", async (t) => {
  await using handlers = await openHandlers(folder);
  const init = { user: "ann", options: { greeting: "Hi" } };
  const first = await handlers.request("site.ts", init);
  t.equal(first.status, 200);
  t.equal(first.statusText, "OK");
  t.equal(await first.text(), "ann Hi 1");
  t.equal(await (await handlers.request("site.ts", init)).text(), "ann Hi 2", "modules stay");

  const body = new FormData();
  body.set("name", "Jürgen");
  body.set("file", new File(["12345"], "five.txt"));
  const upload = await handlers.request("site.ts::upload", { method: "POST", body });
  t.same(await upload.json(), { name: "Jürgen", size: 5 });

  const visit = await handlers.request("site.ts::visits");
  const cookie = visit.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const again = await handlers.request("site.ts::visits", { headers: { cookie } });
  t.equal(await again.text(), "2", "sessions are kept between requests");

  t.equal(await (await handlers.request("site.ts::stream")).text(), "first last");
  t.match(await handlers.request("site.ts::none"), { status: 204, body: null });
});

t.test("access control", async (t) => {
  await using handlers = await openHandlers(folder);
  const authen = { authen: "site.ts" };
  t.equal((await handlers.request(authen)).status, 401);
  const authorization = `Basic ${btoa("ann:secret")}`;
  t.equal((await handlers.request(authen, { headers: { authorization } })).status, 200);
  const both = { ...authen, handler: "site.ts" };
  const reply = await handlers.request(both, { headers: { authorization } });
  t.match(await reply.text(), /^ann /, "the content handler sees the user");
});

t.test("two openings share nothing", async (t) => {
  await using one = await openHandlers(folder);
  await using two = await openHandlers(folder);
  t.equal(await (await one.request("site.ts::visits")).text(), "1");
  t.match(await (await two.request("site.ts")).text(), / 1$/, "each has its own modules");
});

t.test("legacy decorators of a project run, with their helpers", async (t) => {
  const project = t.testdir({
    "tsconfig.json": '{ "compilerOptions": { "experimentalDecorators": true } }',
    "sums.ts": `
      function twice(_target: object, _name: string, descriptor: PropertyDescriptor) {
        const { value } = descriptor;
        descriptor.value = (n: number) => 2 * value(n);
      }
      class Sums { @twice plus(n: number) { return n + 1; } }
      export const handler = () => new Response(String(new Sums().plus(1)));
    `,
  });
  await using handlers = await openHandlers(project);
  t.equal(await (await handlers.request("sums.ts")).text(), "4");
});
