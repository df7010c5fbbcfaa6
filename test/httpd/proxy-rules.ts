import t from "tap";
import { checkProxies } from "../../src/httpd/proxy-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const handler = '<Location "/app/x">\n  Use TsHandler a.ts\n</Location>';
const check = (lines: string) => checkProxies(mergedConfig(`${lines}\n${handler}`));

t.test("directives that take the requests of a handler", async (t) => {
  for (const [lines, where] of [
    ['ProxyPass "/app" "http://b/"', 1],
    ['ProxyPassMatch "^/a" "http://b/"', 1],
    ['ProxyPass "/" "http://b/"', 1],
    ['RewriteEngine On\nRewriteRule "^/app" "http://b/" [P,L]', 2],
    ['RewriteEngine On\nRewriteRule "!^/static" "http://b/" [Proxy]', 2],
  ] as const) {
    t.same(summaries(check(lines)), [`handler-behind-proxy /etc/site.conf:${where}`], lines);
  }
});

t.test("directives that lead them elsewhere", async (t) => {
  for (const [lines, where] of [
    ['Redirect "/app" "http://b/"', 1],
    ['RedirectMatch permanent "^/a" "http://b/"', 1],
    ['RewriteEngine On\nRewriteRule "^/app" "/b" [PT]', 2],
    ['RewriteEngine On\nRewriteRule "^/app" "http://b/"', 2],
    ['RewriteEngine On\nRewriteRule "!^/static" "-" [G]', 2],
  ] as const) {
    t.same(summaries(check(lines)), [`address-taken /etc/site.conf:${where}`], lines);
  }
});

t.test("directives that leave them to it", async (t) => {
  for (const lines of [
    'ProxyPass "/other" "http://b/"',
    'ProxyPass "/app/x" "!"\nProxyPass "/app" "http://b/"',
    'ProxyPassMatch "(" "http://b/"',
    'RewriteRule "^/app" "http://b/" [P]',
    'RewriteEngine On\nRewriteCond "%{HTTPS}" on\nRewriteRule "^/app" "http://b/" [P]',
    'RewriteEngine On\nRewriteRule "^/app" "-" [L]\nRewriteRule "^/app" "http://b/" [P]',
    'RewriteEngine On\nRewriteRule "^/app" "/b"',
  ]) {
    t.same(check(lines), [], lines);
  }
});

t.test("a section of the main server may be meant for another virtual host", async (t) => {
  const host = (name: string, line = ""): string =>
    `<VirtualHost *:80>\n  ServerName ${name}\n  ${line}\n</VirtualHost>`;
  const proxy = 'ProxyPass "/app" "http://b/"';
  t.same(
    checkProxies(mergedConfig(`${handler}\n${host("a", proxy)}\n${host("b", "Options None")}`)),
    [],
  );
});
