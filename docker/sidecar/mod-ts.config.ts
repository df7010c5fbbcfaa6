import { defineConfig } from "mod-ts/config";

// Configuration of the sidecar in a container; compose.yaml and compose.prod.yaml set the variables.
const { env } = process;
const isDevelopment = env["MOD_TS_DEVELOPMENT"] === "on";
const poll = Number(env["MOD_TS_POLL"] || 0);
// Content over TCP, for an Apache on another machine.
const port = Number(env["MOD_TS_LISTEN_PORT"] || 0);
const guardsHost = env["MOD_TS_AUTHORIZER_HOST"] || "0.0.0.0";

export default defineConfig({
  handlers: ["/srv/handlers", "/srv/health"],
  run: env["MOD_TS_RUN"] ?? "/run/mod-ts",
  // The number of www-data in both images.
  socketGroup: "33",
  secretFile: env["MOD_TS_SECRET_FILE"] ?? "/run/secrets/mod_ts_secret",
  // Of two sidecars, Apache uses the other one until this one is ready.
  listenAt: env["MOD_TS_LISTEN_AT"] === "ready" ? "ready" : "start",
  ...(port > 0 && { listen: { host: "0.0.0.0", port } }),
  ...(guardsHost !== "none" && { authorizer: { host: guardsHost, port: 9701 } }),
  pools: { main: { workers: Number(env["MOD_TS_WORKERS"] || 2) } },
  development: isDevelopment,
  reload: {
    freshness: isDevelopment ? "request" : "manual",
    // Some mounts (virtual machines, network drives) send no events: then files are polled at this interval in milliseconds.
    watch: poll > 0 ? { poll } : isDevelopment,
  },
});
