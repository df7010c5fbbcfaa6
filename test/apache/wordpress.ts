/** docs/how-to/wordpress.md, as it stands there, in front of files with the names of WordPress. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startAuthService } from "../fixtures/auth-service.ts";
import { startApache } from "../fixtures/httpd.ts";
import { fences } from "../fixtures/markdown.ts";
import { noPhpFpm, startPhpFpm } from "../fixtures/php-fpm.ts";

t.test("WordPress behind a login", { skip: noPhpFpm }, async (t) => {
  const service = await startAuthService(t, ({ cookie = "" }) =>
    cookie.includes("session=ann")
      ? { status: 200, headers: { "Remote-User": "ann" } }
      : { status: 302, headers: { Location: "https://auth.example.com/" } },
  );
  const page = readFileSync(join(import.meta.dirname, "../../docs/how-to/wordpress.md"), "utf8");
  const snippets = (language: string): string[] =>
    fences(page).flatMap(({ info, text }) => (info === language ? [text] : []));
  const [sections = ""] = snippets("apache");
  const [plugin = ""] = snippets("php");
  const here = (text: string): string =>
    text
      .replaceAll("/srv/www/wordpress", "${FOLDER}/htdocs")
      .replaceAll("/run/php/php-fpm.sock", "${FOLDER}/php.sock")
      .replaceAll("127.0.0.1:9091", new URL(service.url).host);

  const php = '<?php echo "page for ", $_SERVER["REMOTE_USER"] ?? "visitors";';
  const apache = await startApache(t, {
    authorizer: true,
    modules: ["mod_proxy_fcgi", "mod_rewrite"],
    conf: `${here(sections)}
      <Directory "\${FOLDER}/htdocs">
        RewriteEngine On
        RewriteRule "^sign-in$" "wp-login.php" [L]
      </Directory>`,
    files: {
      "htdocs/index.php": php,
      "htdocs/xmlrpc.php": php,
      "htdocs/wp-admin/index.php": php,
      "htdocs/wp-admin/admin-ajax.php": php,
      "htdocs/wp-admin/css/login.css": "body {}",
      "htdocs/remote-user.php": plugin,
      // As much of WordPress as the plugin meets: a filter, and one user.
      "htdocs/wp-login.php": `<?php
        function add_filter($hook, $filter) { $GLOBALS[$hook] = $filter; }
        function get_user_by($by, $name) { return $name === "ann" ? "user $by $name" : false; }
        require "remote-user.php";
        echo $GLOBALS["authenticate"](null) ?? "a form";`,
    },
  });
  await startPhpFpm(t, apache.folder);
  const ask = (path: string, headers: Record<string, string> = {}) =>
    apache.request(path, { headers: { accept: "text/html", ...headers } });
  const ann = { cookie: "session=ann" };

  for (const path of ["/", "/index.php", "/wp-admin/admin-ajax.php"]) {
    t.match(await ask(path), { status: 200, body: "page for visitors" }, path);
  }
  for (const path of [
    "/wp-login.php",
    "/wp-login.php/x",
    "//wp-login.php",
    "/wp%2Dlogin.php",
    "/sign-in",
    "/wp-admin/",
    "/wp-admin/index.php",
    "/wp-admin/css/login.css",
  ]) {
    t.equal((await ask(path, { "remote-user": "ann" })).status, 302, path);
    t.equal((await ask(path, ann)).status, 200, path);
  }
  t.equal((await ask("/xmlrpc.php", ann)).status, 403);
  t.match(await ask("/wp-login.php", ann), { body: "user login ann" });
});
