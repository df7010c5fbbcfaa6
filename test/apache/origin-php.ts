/** PHP as distributions set it up, a module and a SetHandler of its own: TypeScript runs around it, and no source comes. */
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import t from "tap";
import { hasModule, modulePath } from "../../src/httpd/find.ts";
import { defaultModules } from "../../src/httpd/server-root.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { requireHttpd } from "../fixtures/httpd.ts";
import { startOrigin } from "../fixtures/origin.ts";
import { noPhpFpm, startPhpFpm } from "../fixtures/php-fpm.ts";

const httpd = await requireHttpd();
const folder = dirname(modulePath(httpd, "mod_alias"));
const names = existsSync(folder) ? readdirSync(folder) : [];
const php = names.find((name) => /^libphp[\d.]*\.so$/.test(name));
// Not every machine has PHP, and its module wants the MPM prefork.
const skip = !(php && hasModule(httpd, "mod_mpm_prefork")) && "no PHP as a module of httpd here";

t.test("PHP within TsAroundHandler", { skip }, async (t) => {
  const apache = await startOrigin(t, {
    modulesOnly: true,
    modules: [...defaultModules.filter((name) => name !== "mod_mpm_event"), "mod_mpm_prefork"],
    before: `LoadModule php_module "${folder}/${php}"`,
    files: {
      "htdocs/around/page.php": `<?php
        /* SOURCE */
        header("X-Script: php");
        header("X-First: of the script");
        setcookie("script", "1");
        if (($_GET["status"] ?? "") !== "") http_response_code((int) $_GET["status"]);
        echo json_encode([
          "method" => $_SERVER["REQUEST_METHOD"],
          "uri" => $_SERVER["REQUEST_URI"],
          "address" => $_SERVER["REMOTE_ADDR"],
          "ticket" => $_SERVER["HTTP_MOD_TS_ORIGIN"] ?? null,
          "body" => file_get_contents("php://input"),
        ]);`,
      "htdocs/around/index.php": "<?php echo 6 * 7, $_SERVER['PATH_INFO'] ?? '';",
    },
    handlers: {
      "first.ts": handlerFile("origin-php-first.ts"),
    },
    conf: `
      StartServers 4
      DirectoryIndex index.php
      <FilesMatch ".+\\.ph(?:ar|p|tml)$">
        SetHandler application/x-httpd-php
      </FilesMatch>
      <Location "/around">
        Use TsAroundHandler "first.ts mod_ts/origin"
      </Location>
      Alias /replaced "\${FOLDER}/htdocs/around"
      <Location "/replaced">
        Use TsHandler "first.ts mod_ts/origin"
      </Location>`,
  });

  await t.test("it runs, with the headers of both", async (t) => {
    const reply = await apache.request("/around/page.php?a=%2F", { method: "POST", body: "sent" });
    t.equal(reply.status, 200);
    t.same(JSON.parse(reply.body), {
      method: "POST",
      uri: "/around/page.php?a=%2F",
      address: "127.0.0.1",
      ticket: null,
      body: "sent",
    });
    t.match(reply.headers, { "x-script": "php", "x-first": "first.ts" });
    t.same(reply.headers["set-cookie"], ["script=1"]);
    t.match(await apache.request("/around/"), { status: 200, body: "42" }, "as an index");
    t.match(await apache.request("/around/index.php/more"), { status: 200, body: "42/more" });
    t.match(await apache.request("/around/page.php?status=404"), { status: 404, body: /^{/ });
    t.equal((await apache.request("/around/page.php?no")).status, 403, "a handler before it");
  });

  await t.test("its source never comes, whatever is asked for", async (t) => {
    for (const place of ["around", "replaced"]) {
      for (const range of ["", "bytes=0-20", "bytes=0-3,6-30"]) {
        const headers = { host: "x", ...(range && { range }) };
        for (const name of ["page.php", "page%2Ephp", "./page.php"]) {
          const { status, body } = await apache.request(`/${place}/${name}`, { headers });
          t.notMatch(body, /SOURCE|<\?php/, `${status} /${place}/${name} ${range}`);
          t.equal(status === 500, place === "replaced", `${status} /${place}/${name} ${range}`);
        }
      }
    }
  });
});

t.test("PHP-FPM gets the bodies that input filters send", { skip: noPhpFpm }, async (t) => {
  const apache = await startOrigin(t, {
    modules: ["mod_proxy_fcgi"],
    files: { "htdocs/echo.php": "<?php echo file_get_contents('php://input');" },
    handlers: {
      "upper.ts": `
        export const inputFilter = (text: string) => text.toUpperCase();
        export async function* parts(source: AsyncIterable<Uint8Array>) {
          yield "[";
          for await (const part of source) {
            // So that Apache sees that more is to come.
            await new Promise((resolve) => setTimeout(resolve, 50));
            yield part;
          }
          yield "]";
        }`,
    },
    conf: `
      <FilesMatch "\\.php$">
        SetHandler "proxy:unix:\${FOLDER}/php.sock|fcgi://localhost"
      </FilesMatch>
      ${["upper.ts", "upper.ts::parts"]
        .map(
          (filter, at) => `
      Alias /${at} "\${FOLDER}/htdocs"
      <Location /${at}>
        Use TsInputFilter ${filter}
      </Location>`,
        )
        .join("")}`,
  });
  await startPhpFpm(t, apache.folder);
  const send = async (path: string) =>
    (await apache.request(`${path}/echo.php`, { method: "POST", body: "sent" })).body;
  t.equal(await send("/0"), "SENT", "over the whole text");
  t.equal(await send("/1"), "[sent]", "in parts");
});
