import { defineConfig } from "mod-ts/config";

export default defineConfig({
  handlers: ["."],
  pools: { main: { workers: 1 } },
});
