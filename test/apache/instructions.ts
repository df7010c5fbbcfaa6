/** What `mod_ts.conf` costs each request, by the small form of `npm run bench:httpd`. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import t from "tap";

const missing = !existsSync("/usr/bin/valgrind") && "callgrind is not installed";

t.test(
  "a tenth more instructions of httpd fail",
  { skip: missing, timeout: 300_000 },
  async (t) => {
    const program = join(import.meta.dirname, "../../bench/httpd.ts");
    const subjects = [
      "static file",
      "hello, all features",
      "hello, 5 nested sections",
      "static file, decided, all features",
    ];
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...subjects], {
      encoding: "utf8",
    });
    t.equal(status, 0, `${stdout}${stderr}`);
    for (const subject of subjects) t.match(stdout, subject);
  },
);
