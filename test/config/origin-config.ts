import t from "tap";
import { judgeOrigin } from "../../src/config/origin-config.ts";

const config = { secret: "x".repeat(16), pools: { main: { workers: 4 } }, development: false };
const url = "http://127.0.0.1:80";

function mistakesIn(origin: { url: string; requestWorkers: number }, more = {}): string[] {
  const mistakes: string[] = [];
  judgeOrigin({ ...config, ...more }, origin, mistakes);
  return mistakes;
}

t.test("an address of a server, and nothing behind it", (t) => {
  t.same(mistakesIn({ url, requestWorkers: 150 }), []);
  for (const wrong of ["127.0.0.1", "ftp://a", "http://a/b", "http://u:p@a"]) {
    t.match(mistakesIn({ url: wrong, requestWorkers: 150 }), [/^origin\.url: /], wrong);
  }
  t.end();
});

t.test("a secret, and threads for each worker", (t) => {
  t.match(mistakesIn({ url, requestWorkers: 150 }, { secret: undefined }), [/needs secret/]);
  t.match(mistakesIn({ url, requestWorkers: 11 }), [/4 worker processes need 12/]);
  t.same(mistakesIn({ url, requestWorkers: 11 }, { development: true }), []);
  t.end();
});
