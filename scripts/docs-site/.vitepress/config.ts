/** The documentation as a site: README.md, docs/ and the other pages at the root of the checkout. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vitepress";
import { anchorOf, project, siteLink, sitePath, sourcePath } from "../links.ts";
import { apiMenu, sidebar } from "../navigation.ts";

/** Files of the checkout that the pages link to. */
const copied = new Set<string>();
const hasApi = process.env["DOCS_WITHOUT_API"] === undefined;

/** Colors of the themes that have less than 4.5:1 on the ground of code blocks, and what takes their place. */
const colorReplacements = {
  "github-light": {
    "#d73a49": "#cb2431",
    "#e36209": "#b64a00",
    "#22863a": "#1f7a35",
    "#6a737d": "#626b74",
  },
  "github-dark": { "#6a737d": "#8b949e" },
};

/** The pages lie outside the directory whose packages render them; Node finds Vue for the result. */
const externalVue: Plugin = {
  name: "external-vue",
  enforce: "pre",
  resolveId: (id, _importer, { ssr }) =>
    ssr && /^vue(?:\/|$)/.test(id) ? { id, external: true } : undefined,
};

export default defineConfig({
  title: "mod_ts",
  description: "Apache handlers in TypeScript, on a stock Apache httpd 2.4",
  base: "/docs/",
  srcDir: project,
  // Only the root of the checkout and docs/ hold pages.
  srcExclude: ["!(docs)/**/*", ...(hasApi ? [] : ["docs/api/**"])],
  rewrites: sitePath,
  outDir: process.env["DOCS_OUT"] ?? "dist",
  head: [["link", { rel: "icon", href: "data:," }]],
  markdown: {
    languageAlias: { tsp: "html" },
    // By default a line has half a second, and what a busy machine has not colored by then looks like the line before.
    shikiSetup: (highlighter) => {
      const { codeToHtml } = highlighter;
      highlighter.codeToHtml = (code, options) =>
        codeToHtml(code, { ...options, tokenizeTimeLimit: 0, colorReplacements });
    },
    anchor: { slugify: anchorOf },
    config: (md) => {
      md.core.ruler.push("links", ({ tokens, env }) => {
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          if (token.type !== "link_open") continue;
          const page = (env.realPath ?? env.path) as string;
          token.attrSet("href", siteLink(token.attrGet("href") ?? "", page, copied));
        }
      });
    },
  },
  themeConfig: {
    outline: [2, 3],
    search: {
      provider: "local",
      options: {
        miniSearch: {
          searchOptions: {
            // A guide before the many short sections of the API and the errors.
            boostDocument: (id: string) => (/\/(?:api\/|errors\.|decisions\/)/.test(id) ? 0.3 : 1),
          },
        },
      },
    },
    notFound: { quote: "This page does not exist.", linkText: "To the first page" },
    nav: [
      { text: "Tutorial", link: "/tutorial" },
      { text: "Apache", link: "/apache" },
      ...(hasApi ? [{ text: "API", link: "/api/" }] : []),
    ],
    sidebar: {
      "/": sidebar(),
      ...(hasApi && { "/api/": apiMenu() }),
    },
  },
  vite: { build: { chunkSizeWarningLimit: 4000 }, plugins: [externalVue] },
  buildEnd: ({ outDir }) => {
    for (const file of copied) cpSync(join(project, file), join(outDir, sourcePath(file)));
  },
});
