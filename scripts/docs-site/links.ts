/** The links of the pages, which are written for readers of the files, in the site. */
import { statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

export const project = resolve(import.meta.dirname, "../..");

/** Files of the checkout are copied to this directory of the site, where pages link to them. */
export const sourceDirectory = "source";

/** Where a page of the checkout stands in the site. */
export function sitePath(file: string): string {
  return file
    .replace(/README\.md$/, "index.md")
    .replace(/^docs\//, "")
    .replace(/^[A-Z]+\.md$/, (name) => name.toLowerCase());
}

/**
 * The target in the site of a relative link: another page, or a file that {@link copied} then holds.
 * A link that leads nowhere stays as it is, and VitePress reports it.
 */
export function siteLink(link: string, page: string, copied: Set<string>): string {
  if (/^(?:[a-z]+:|[#/])/.test(link)) return link;
  const [path = "", anchor] = link.split("#");
  const file = relative(project, resolve(dirname(page), path));
  if (path.endsWith(".md")) return `/${sitePath(file)}${anchor === undefined ? "" : `#${anchor}`}`;
  if (!isFile(file)) return link;
  copied.add(file);
  return `/${sourcePath(file)}`;
}

/** `trust-ts.txt`: servers take `.ts` for a video, and mod_ts closes every name with `.ts` in it. */
export function sourcePath(file: string): string {
  return join(sourceDirectory, `${file.replaceAll(".", "-")}.txt`);
}

/** The anchor of a heading, as code hosts make it, so that a link works in both places. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function isFile(file: string): boolean {
  return statSync(join(project, file), { throwIfNoEntry: false })?.isFile() ?? false;
}
