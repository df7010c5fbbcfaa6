/** Handshakes; open sockets are tested through a real Apache, in test/apache/websocket.ts. */
import type { IncomingMessage } from "node:http";
import t from "tap";
import { HeaderTable } from "../../src/request/headers.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import {
  proposesWebSocket,
  rawProtocolOf,
  requireHandshake,
  requireSameOrigin,
} from "../../src/gateway/web-sockets.ts";

/** As much of a message as is looked at. */
const message = (headers: Record<string, string>, method = "GET"): IncomingMessage =>
  ({ method, headers }) as unknown as IncomingMessage;

t.test("who proposes a WebSocket", async (t) => {
  t.ok(proposesWebSocket(message({ upgrade: "websocket" })));
  t.ok(proposesWebSocket(message({ upgrade: "WebSocket" })));
  t.notOk(proposesWebSocket(message({ upgrade: "h2c" })));
  t.notOk(proposesWebSocket(message({})));
  t.notOk(proposesWebSocket(message({ upgrade: "websocket" }, "POST")));
});

t.test("a handshake has version 13 and a key of 16 bytes", async (t) => {
  const version = { "sec-websocket-version": "13" };
  const key = { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };
  t.doesNotThrow(() => requireHandshake(message({ ...version, ...key })));
  for (const headers of [{}, version, key, { ...key, "sec-websocket-version": "8" }]) {
    t.throws(() => requireHandshake(message(headers)), { code: "MODTS_BAD_REQUEST" });
  }
  for (const bad of ["", "dGhl", "dGhlIHNhbXBsZSBub25jZQ==x", "ÄÖÜhIHNhbXBsZSBub25jZQ=="]) {
    const headers = { ...version, "sec-websocket-key": bad };
    t.throws(() => requireHandshake(message(headers)), { code: "MODTS_BAD_REQUEST" }, bad);
  }
});

/** Judges a handshake with `www.example.org:81` from a page of `origin`. */
function check(origin: string | undefined, allowed?: string): void {
  const headersIn = new HeaderTable();
  headersIn.set("Host", "www.example.org:81");
  if (origin !== undefined) headersIn.set("Origin", origin);
  const options = allowed === undefined ? {} : { "mod_ts.websocket_origins": allowed };
  requireSameOrigin({ headersIn, getOptions: () => options } as unknown as ApacheRequest);
}

t.test("origins", async (t) => {
  t.doesNotThrow(() => check(undefined), "no browser");
  t.doesNotThrow(() => check("http://www.example.org:81"));
  t.doesNotThrow(() => check("https://www.example.org:81"), "TLS may end before Apache");
  const foreign = ["null", "", "https://www.example.org", "https://evil.example", "evil", "*"];
  for (const origin of foreign) {
    t.throws(() => check(origin), { code: "MODTS_WEBSOCKET_ORIGIN" }, origin);
    t.throws(() => check(origin, "https://a.example"), { code: "MODTS_WEBSOCKET_ORIGIN" }, origin);
  }
  t.doesNotThrow(() => check("https://a.example", "https://b.example, https://a.example"));
  t.doesNotThrow(() => check("null", "*"));
});

t.test("other protocols, where the location names them", async (t) => {
  const of = (headers: Record<string, string>, method = "GET", taken = "line, Other") =>
    rawProtocolOf(message(headers, method), { "mod_ts.upgrade": taken });
  t.equal(of({ upgrade: "LINE" }), "LINE", "as the client spells it: Apache compares");
  t.equal(of({ upgrade: "other" }), "other");
  for (const upgrade of ["", "h2c", "line, other", "lin"]) t.equal(of({ upgrade }), undefined);
  t.equal(of({ upgrade: "line" }, "POST"), undefined);
  const withBody = { upgrade: "line", "content-length": "1" };
  t.equal(of(withBody), undefined, "a body would be read as the protocol");
  t.equal(of({ upgrade: "line" }, "GET", ""), undefined);
});
