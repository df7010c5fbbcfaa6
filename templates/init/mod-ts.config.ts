import { defineConfig } from "mod-ts/config";

// apache.conf says which handler runs where; this file has directories of handlers and limits.
export default defineConfig({
  handlers: ["."],
});
