import t from "tap";
import { fetchOrigin } from "../../src/request/fetch-origin.ts";
import { internals } from "../../src/request/request.ts";
import { serve } from "../fixtures/exchange-server.ts";

t.test("asks what the process lends, or says what is missing", async (t) => {
  const server = await serve(t, (req) => {
    if (req.headersIn.has("with")) {
      const origin = {
        callsBack: true,
        fetch: async () => new Response("there"),
        redirect: async () => {},
      };
      req[internals].toolkit = { temporary: "", origin };
    }
    return fetchOrigin(req);
  });
  t.equal((await server.ask("GET /\nWith: 1")).body, "there");
  t.equal((await server.ask("GET /")).body, "MODTS_ORIGIN_UNSET");
});
