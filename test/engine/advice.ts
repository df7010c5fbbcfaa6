import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import t from "tap";
import { adviseOnCalls, adviseOnListen } from "../../src/engine/advice.ts";
import { makeProject } from "../fixtures/loader/project.ts";

function advise(message: string): string {
  const error = new TypeError(message);
  adviseOnCalls(error);
  t.ok(error.stack?.includes(error.message), "the stack begins with the same message");
  return error.message;
}

t.test("methods of other frameworks", (t) => {
  t.match(advise("req.send is not a function"), "; use req.write(text), or return new Response");
  t.match(advise("res.json is not a function"), "; return Response.json(value)");
  t.match(advise("req.redirect is not a function"), '; import { redirect } from "mod-ts"');
  for (const message of ["req.foo is not a function", "req.constructor is not a function", "x"]) {
    t.equal(advise(message), message);
  }
  t.end();
});

t.test("a second argument, as handlers of other frameworks have", async (t) => {
  const project = await makeProject(t);
  const failing = async (line: string): Promise<string> => {
    await project.save("a.ts", `export function handler(req?: any, res?: any) {\n  ${line}\n}`);
    const error = await project.request("a.ts").catch((reason: unknown) => reason);
    adviseOnCalls(error);
    return (error as Error).message;
  };
  const argument = "; a handler has one argument, the request: ";
  t.match(
    await failing("res.send('x');"),
    `${argument}use req.write(text), or return new Response`,
  );
  t.match(await failing("return res.status(200);"), `${argument}set req.status`);
  t.equal(await failing("res.foo();"), "Cannot read properties of undefined (reading 'foo')");
  t.equal(await failing("req.send();"), "Cannot read properties of undefined (reading 'send')");
});

t.test("a forgotten await, by the line that has it", async (t) => {
  const project = await makeProject(t);
  const failing = async (line: string): Promise<string> => {
    await project.save(
      "a.ts",
      `const req = { form: async () => new Map(), count: () => ({}) };\nexport const handler = () => {\n  ${line}\n};`,
    );
    const error = await project.request("a.ts").catch((reason: unknown) => reason);
    adviseOnCalls(error);
    return (error as Error).message;
  };
  const meant = "form.get is not a function; form is a promise: write await req.form(…)";
  t.equal(await failing("const form = req.form() as any; return form.get('a');"), meant);
  t.equal(await failing("const form: any = req.form(); return form.get('a');"), meant);
  t.equal(
    await failing("const form = req.count() as any; return form.get('a');"),
    "form.get is not a function",
  );
});

t.test("a port that is taken, as by the server of an earlier version", async (t) => {
  const first = createServer().listen(0, "127.0.0.1");
  t.teardown(() => first.close());
  await once(first, "listening");
  const second = createServer().listen((first.address() as AddressInfo).port, "127.0.0.1");
  const [error] = (await once(second, "error").catch((reason: unknown) => [reason])) as [Error];
  adviseOnListen(error);
  t.match(error.message, /EADDRINUSE.*; omit listen\(\)/);
  t.match(error.stack, "omit listen()");
  adviseOnListen(undefined);
});
