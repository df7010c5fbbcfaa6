import { defineConfig } from "mod-ts/config";

export default defineConfig({
  handlers: ["."],
  pools: { main: { workers: 1 } },
  connections: { redis: { run: "redis.ts", path: ".mod-ts/redis.sock" } },
});
