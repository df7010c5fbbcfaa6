import t from "tap";
import { allowedTail } from "../../../src/request/response/page-tail.ts";

const tail = '<script src="/x"></script>';

t.test("policies that let a script of the same origin run", (t) => {
  for (const policies of [
    [],
    ["img-src 'none'"],
    ["default-src 'self'"],
    ["default-src 'none'; script-src 'self'; connect-src 'self'"],
    ["script-src 'self'; script-src 'none'"],
    ["SCRIPT-SRC *", "default-src 'self'"],
    ["sandbox allow-scripts"],
  ]) {
    t.equal(allowedTail(tail, policies), tail, policies.join());
  }
  t.end();
});

t.test("a nonce of the policy", (t) => {
  const expected = '<script nonce="a+/=" src="/x"></script>';
  const nonce = "script-src 'strict-dynamic' 'nonce-a+/='";
  for (const policies of [[nonce], [`img-src *, ${nonce}`], ["default-src 'self'", nonce]]) {
    t.equal(allowedTail(tail, policies), expected, policies.join());
  }
  t.end();
});

t.test("policies that do not", (t) => {
  for (const policy of [
    "default-src 'none'",
    "script-src 'none'",
    "script-src https://a.example",
    "script-src 'self' 'strict-dynamic'",
    "default-src 'self'; connect-src 'none'",
    "default-src 'self'; script-src-elem 'none'",
    "default-src 'self', script-src 'none'",
    "sandbox",
  ]) {
    t.equal(allowedTail(tail, [policy]), "", policy);
  }
  t.end();
});
