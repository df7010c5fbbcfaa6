/** A function in the place of another. */
import t from "tap";
import { replaceFunction } from "../../src/cgi/replace-function.ts";

t.test("keeps name and properties of the one before", async (t) => {
  const original = (...args: unknown[]): unknown => args.join();
  Object.assign(original, { native: 1 });
  const api: Record<string, ((...args: unknown[]) => unknown) | undefined> = { original };
  replaceFunction(api, "original", (call, args) => `[${String(call(...args))}]`);
  t.equal(api["original"]?.(1, 2), "[1,2]");
  t.equal(api["original"]?.name, "original");
  t.equal(Reflect.get(api["original"] ?? {}, "native"), 1);
  replaceFunction(api, "missing", () => 1);
  t.notOk("missing" in api);
});
