/** The groups of the site. A page's own first heading is its name. */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { project, sitePath } from "./links.ts";

export interface NavigationItem {
  text: string;
  link?: string;
  items?: NavigationItem[];
  collapsed?: boolean;
}

/** Names of pages in docs/, without `.md`; a star stands for all that no other line names. */
const groups: readonly (readonly [string, readonly string[]])[] = [
  ["Start", ["../README", "tutorial", "installing", "docker", "mod_python", "migrating"]],
  [
    "Guides",
    [
      "handlers",
      "request-object",
      "forms",
      "sessions",
      "publisher",
      "pages",
      "applications",
      "cgi",
      "origin",
      "phases",
      "background",
      "connections",
      "testing",
    ],
  ],
  ["How-to", ["how-to/README", "how-to/*"]],
  ["Apache", ["apache", "authentication", "forward-auth"]],
  ["Operations", ["operations", "check", "scaling", "kubernetes", "security"]],
  ["Reference", ["configuration", "errors", "../CHANGELOG"]],
  ["More", ["*"]],
  ["Internals", ["architecture", "attacks", "decisions/*", "../CONTRIBUTING", "../SECURITY"]],
];

/** Groups that are closed until a reader opens them. */
const closed = new Set(["Internals"]);

/** Directories of the API reference. */
const kinds = {
  functions: "Functions",
  classes: "Classes",
  interfaces: "Interfaces",
  "type-aliases": "Types",
  variables: "Constants",
};

/** The menu beside each page; groups without a page are left out. */
export function sidebar(): NavigationItem[] {
  const named = new Set(groups.flatMap(([, names]) => names.map(fileOf)));
  const listed = groups.map(([text, names]) => ({
    text,
    collapsed: closed.has(text),
    items: names.flatMap((name) => pagesOf(name, named)).map(item),
  }));
  return listed.filter(({ items }) => items.length > 0);
}

/** The menu beside the API reference: modules, and the kinds of what they export. */
export function apiMenu(): NavigationItem[] {
  return globSync("docs/api/**/index.md", { cwd: project })
    .filter((index) => index !== "docs/api/index.md")
    .toSorted((one, other) => one.length - other.length)
    .map((index) => ({
      text: titleOf(index),
      link: `/${sitePath(index)}`,
      items: kindsOf(dirname(index)),
    }));
}

function kindsOf(directory: string): NavigationItem[] {
  return Object.entries(kinds).flatMap(([kind, text]) => {
    const files = globSync(join(directory, kind, "*.md"), { cwd: project }).toSorted();
    if (files.length === 0) return [];
    const items = files.map((file) => ({
      text: basename(file, ".md"),
      link: `/${sitePath(file)}`,
    }));
    return [{ text, collapsed: true, items }];
  });
}

function pagesOf(name: string, named: ReadonlySet<string>): string[] {
  if (!name.includes("*")) return [fileOf(name)];
  return globSync(fileOf(name), { cwd: project })
    .filter((file) => !named.has(file))
    .toSorted();
}

function fileOf(name: string): string {
  return join("docs", `${name}.md`);
}

function item(file: string): NavigationItem {
  return { text: titleOf(file), link: `/${sitePath(file)}` };
}

function titleOf(file: string): string {
  if (file === "README.md") return "Overview";
  const text = readFileSync(join(project, file), "utf8");
  return /^# (.+)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? file;
}
