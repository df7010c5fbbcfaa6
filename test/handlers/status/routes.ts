import fastify from "fastify";
import t from "tap";
import { statusRoutes } from "../../../src/handlers/status/routes.ts";
import type { SidecarStatus } from "../../../src/supervisor/status.ts";
import { sampleStatus } from "../../fixtures/status-sample.ts";

t.test("the routes and their schemas", async (t) => {
  let status: SidecarStatus | undefined = sampleStatus();
  const app = fastify().register(
    statusRoutes(async () => status ?? Promise.reject(new Error("gone"))),
  );
  t.teardown(() => app.close());
  const get = (url: string) => app.inject({ url });
  t.match((await get("/status")).headers, {
    "content-security-policy": /default-src 'none'/,
    "cache-control": "no-store",
  });
  t.match((await get("/status?format=style")).headers["content-type"], "text/css");
  t.match((await get("/status?format=script")).headers["content-type"], "text/javascript");
  t.notMatch((await get("/status?format=content")).body, "<html");
  t.match((await get("/status.json")).json(), { state: "degraded", pools: [{ name: "main" }] });
  t.match((await get("/metrics")).body, /# EOF\n$/);
  t.equal((await get("/status?format=xml")).statusCode, 400);
  t.match(await get("/health/live"), { statusCode: 200 });
  t.match(await get("/health/ready"), { statusCode: 200 }, "degraded, and it serves");
  status = { ...sampleStatus(), state: "down" };
  t.match(await get("/health/ready"), { statusCode: 503 });
  status = undefined;
  const gone = await get("/health/ready");
  t.match([gone.statusCode, gone.json()], [503, { state: "down", reasons: [/does not answer/] }]);
});
