import t from "tap";
import { formatDefines, renderConf } from "../../src/httpd/render.ts";

t.test("settings are filled in where the file explains them", async (t) => {
  const text = renderConf({
    run: "/srv/run",
    secret: "abc-DEF_1",
    tcp: "[::1]:9700",
    ttl: 3,
    timeout: 9,
    origin: "0123456789abcdef0123456789abcdef",
    originHeader: "X-Forwarded-For",
    handlers: "/srv/handlers",
  });
  const defines = text
    .match(
      /^ *Define MOD_TS_(?:RUN|SECRET|TCP|TTL|TIMEOUT|ORIGIN\w*|SERVE_TS_MEDIA|HANDLERS)(?: [^-$"].*)?$/gm,
    )
    ?.map((line) => line.trim());
  t.strictSame(defines, [
    "Define MOD_TS_RUN /srv/run",
    "Define MOD_TS_SECRET abc-DEF_1",
    "Define MOD_TS_TCP [::1]:9700",
    "Define MOD_TS_TTL 3",
    "Define MOD_TS_TIMEOUT 9",
    "Define MOD_TS_ORIGIN 0123456789abcdef0123456789abcdef",
    "Define MOD_TS_ORIGIN_HEADER X-Forwarded-For",
    "Define MOD_TS_ORIGIN_FROM 127.0.0.0/8",
    "Define MOD_TS_SERVE_TS_MEDIA",
    "Define MOD_TS_HANDLERS /srv/handlers",
  ]);
  t.equal(text.split("\n").length, renderConf({}).split("\n").length);
});

t.test("without settings the file is as it was shipped", async (t) => {
  t.match(renderConf({}), /^#Define MOD_TS_SECRET /m);
  t.equal(renderConf({}, "a\n"), "a\n");
});

t.test(
  "what httpd would read as something else is refused, and a secret is not repeated",
  async (t) => {
    const bad = [
      { run: "relative" },
      { run: "/with space" },
      { run: `/${"x".repeat(90)}` },
      { secret: "a;b" },
      { secret: "%{REQUEST_URI}" },
      { tcp: "host" },
      { tcp: "host:1\nDefine X" },
      { ttl: -1 },
      { origin: "short" },
      { originHeader: "X:Y" },
      { handlers: "/a#b" },
    ];
    for (const settings of bad) {
      t.throws(
        () => renderConf(settings),
        { code: "MODTS_BAD_ARGUMENT" },
        JSON.stringify(settings),
      );
    }
    t.throws(() => renderConf({ secret: "hun;ter" }), { message: /^(?!.*hun)/ });
  },
);

t.test("formatDefines", async (t) => {
  t.equal(formatDefines({ run: "/r", ttl: 1 }), "Define MOD_TS_RUN /r\nDefine MOD_TS_TTL 1\n");
});
