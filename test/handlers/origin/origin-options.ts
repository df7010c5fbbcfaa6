import t from "tap";
import { originOptions } from "../../../src/handlers/origin/origin-options.ts";

const read = (options: Record<string, string>) =>
  originOptions(
    Object.fromEntries(
      Object.entries(options).map(([key, value]) => [`mod_ts.origin.${key}`, value]),
    ),
  );

t.test("nothing said: Apache itself", async (t) => {
  t.same(read({}), { foreign: undefined, apache: undefined, timeout: 55_000 });
  t.equal(read({ apache: "https://127.0.0.1:443" }).apache?.protocol, "https:");
});

t.test("another server", async (t) => {
  t.same(read({ url: "http://[::1]/base/", strip: "/app/", timeout: "5" }), {
    foreign: {
      name: "http://[::1]/base/",
      target: { protocol: "http:", hostname: "::1", port: "80" },
      base: "/base",
      strip: "/app",
      preserveHost: false,
    },
    apache: undefined,
    timeout: 5,
  });
  t.match(read({ url: "https://example.org", preserve_host: "On" }).foreign, {
    target: { port: "443" },
    base: "",
    preserveHost: true,
  });
  t.match(read({ url: "unix:/run/app.sock" }).foreign, {
    name: "unix:/run/app.sock",
    target: { socketPath: "/run/app.sock" },
    preserveHost: true,
  });
});

t.test("mistakes", async (t) => {
  const wrong = [
    { url: "ftp://x/" },
    { url: "unix:relative" },
    { url: "http://user:secret@x/" },
    { url: "http://x/?q" },
    { url: "http://x/", strip: "app" },
    { url: "http://x/", preserve_host: "yes" },
    { timeout: "0" },
    { upstream: "http://x/" },
  ];
  for (const options of wrong) {
    t.throws(() => read(options), { code: "MODTS_BAD_OPTION" }, JSON.stringify(options));
  }
});
