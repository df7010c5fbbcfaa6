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

const section = (name: string, lines: string): string =>
  `<${name}>\n${lines.replaceAll(/^/gm, "  ")}\n</${name.split(" ", 1)}>`;
const checkInside = (lines: string, outer = "") =>
  checkProxies(
    mergedConfig(`${outer}\n${section('Location "/app/x"', `Use TsHandler a.ts\n${lines}`)}`),
  );
const outerRule = 'RewriteEngine On\nRewriteRule "^" "/b"';

t.test("directives of sections that lead them elsewhere", async (t) => {
  for (const [lines, where] of [
    ['Redirect "http://b/"', 4],
    ["Redirect gone", 4],
    ['Redirect permanent "/app" "http://b/"', 4],
    ['RedirectMatch ".*" "http://b/"', 4],
    ['RewriteEngine On\nRewriteRule "^" "/b"', 5],
    ['RewriteEngine On\nRewriteRule "(.*)" "http://b/$1" [P]', 5],
    ['RewriteEngine On\nRewriteRule ".*" "-" [F]', 5],
    ['RewriteEngine On\nRewriteRule "^" "-" [H=text/plain]', 5],
  ] as const) {
    t.same(summaries(checkInside(lines)), [`address-taken /etc/site.conf:${where}`], lines);
  }
  const outer = section('Location "/app"', outerRule);
  t.same(summaries(checkInside("", outer)), ["address-taken /etc/site.conf:3"]);
  const other = 'RewriteEngine On\nRewriteRule "^" "-" [E=a:b]';
  t.same(summaries(checkInside('Redirect "http://b/"', other)), ["address-taken /etc/site.conf:5"]);
});

t.test("directives of sections that leave them to it", async (t) => {
  const outer = section('Location "/app"', outerRule);
  for (const lines of [
    'Redirect "https://b/"',
    'Redirect gone "/app/y"',
    'Redirect "/other" "http://b/"',
    'RewriteRule "^" "/b"',
    'RewriteEngine On\nRewriteRule "^old" "/b"',
    'RewriteEngine On\nRewriteRule "^" "-" [E=a:b]',
    'RewriteEngine On\nRewriteRule "^" "/app/x/index"',
    'RewriteEngine On\nRewriteCond "%{HTTPS}" on\nRewriteRule "^" "/b"',
  ]) {
    t.same(checkInside(lines), [], lines);
  }
  t.same(checkInside("RewriteEngine Off", outer), []);
  t.same(checkInside('RewriteEngine On\nRewriteRule "^old" "/b"', outer), [], "rules replaced");
  t.same(checkInside("", section('If "%{HTTPS} == 1"', outerRule)), [], "for some");
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
  const main = (listen: string): string[] =>
    summaries(checkProxies(mergedConfig(`${listen}\n${handler}\n${host("a", proxy)}`)));
  t.same(main("Listen 81"), [], "the main server itself");
  t.same(main("Listen 80\nListen 127.0.0.1:80"), ["handler-behind-proxy /etc/site.conf:8"]);
  t.same(main("Listen 80\nListen 443"), ["handler-behind-proxy /etc/site.conf:8"], "mod_ssl");
  t.same(main("Listen 80\nListen 443\nSSLEngine on"), [], "the main server has TLS");
});
