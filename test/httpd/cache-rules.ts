import t from "tap";
import { checkCaches } from "../../src/httpd/cache-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const section = (lines: string): string => `<Location "/a">\n${lines}\n</Location>`;
const handler = section("  Use TsHandler a.ts");
const guard = section("  Use TsAuthenHandler users.ts\n  Require valid-user");
const check = (lines: string, then: string) =>
  summaries(checkCaches(mergedConfig(`${lines}\n${then}`)));

t.test("mod_cache in front of guards and handlers", async (t) => {
  t.same(check("CacheEnable disk", handler), ["cache-first /etc/site.conf:1"]);
  t.same(check("CacheEnable disk /", guard), ["cache-first /etc/site.conf:1"]);
  for (const line of [
    "CacheStorePrivate On",
    'Header always set Cache-Control "public"',
    "Header always unset Cache-Control",
    "Header always edit Cache-Control private public",
    'Header always edit* Cache-Control "private,?" ""',
  ]) {
    t.same(check(`CacheEnable disk /\n${line}`, guard), ["cache-shares /etc/site.conf:2"], line);
    t.same(check(`CacheEnable disk /\n${line}`, handler), ["cache-first /etc/site.conf:1"], line);
  }
});

t.test("mod_cache elsewhere", async (t) => {
  for (const lines of [
    "CacheEnable disk /b",
    "CacheEnable disk http://other.example/",
    "CacheEnable disk /\nCacheDisable /a",
    "CacheEnable disk /\nCacheQuickHandler Off",
    'CacheEnable disk /\nCacheQuickHandler Off\n<Location "/">\n  CacheDisable On\n</Location>',
    '<Location "/">\n  CacheEnable disk\n</Location>',
  ]) {
    t.same(check(lines, guard), [], lines);
  }
  const harmless = 'CacheEnable disk /\nHeader always set Cache-Control "private, max-age=5"';
  t.same(check(harmless, guard), ["cache-first /etc/site.conf:1"]);
});

t.test("lines in sections have no effect on the quick handler", async (t) => {
  const lines = "CacheEnable disk /\nCacheStorePrivate On";
  const disabled = '<Location "/">\n  CacheDisable On\n</Location>';
  t.same(check(`${lines}\n${disabled}`, guard), ["cache-shares /etc/site.conf:2"]);
  t.same(
    check("", section("  CacheEnable disk\n  CacheStorePrivate On\n  Use TsHandler a.ts")),
    [],
  );
});

t.test("mod_cache behind access control", async (t) => {
  const off = "CacheQuickHandler Off";
  t.same(check(`${off}\nCacheEnable disk /`, handler), []);
  t.same(check(`${off}\nCacheEnable disk /\nCacheStorePrivate On`, guard), [
    "cache-shares /etc/site.conf:3",
  ]);
  const inside = '<Location "/">\n  CacheEnable disk\n  CacheStorePrivate On\n</Location>';
  t.same(check(`${off}\n${inside}`, guard), ["cache-shares /etc/site.conf:4"]);
  t.same(check(`${off}\n${inside}`, handler), []);
  const fixup = "  Use TsFixupHandler may-see.ts";
  t.same(check(`${off}\n${inside}`, section(fixup)), [], "mod_cache keeps nothing of it");
  t.same(check(`${off}\n${inside}`, section(`${fixup}\n  Use TsHandler a.ts`)), [
    "cache-first /etc/site.conf:3",
  ]);
});
