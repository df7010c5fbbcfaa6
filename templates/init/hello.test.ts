import assert from "node:assert/strict";
import { test } from "node:test";
import { openHandlers } from "mod-ts/testing";

test("hello", async () => {
  await using handlers = await openHandlers(import.meta.dirname);
  const response = await handlers.request("hello.ts", { url: "/hello" });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "Hello from mod_ts!\n");
});
