/**
 * Groups from a file of lines `group: user user`.
 *
 * httpd: `mod_authz_groupfile`.
 * @module
 */
import { FreshFile } from "./fresh-file.ts";

/** Tells who belongs to a group. */
export class GroupFile {
  readonly #file: FreshFile<ReadonlyMap<string, ReadonlySet<string>>>;

  /** @param path absolute */
  constructor(path: string) {
    this.#file = new FreshFile(path, parseGroups);
  }

  /** Whether the user is in one of the groups. @throws ModTsError `MODTS_USERS_UNREADABLE` */
  isMember(user: string, groups: readonly string[]): boolean {
    const members = this.#file.get();
    return groups.some((group) => members.get(group)?.has(user) ?? false);
  }
}

/** A group may take several lines. */
function parseGroups(text: string): Map<string, Set<string>> {
  const groups = new Map<string, Set<string>>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon < 1 || line.startsWith("#")) continue;
    const name = line.slice(0, colon).trim();
    const users = line
      .slice(colon + 1)
      .split(/\s+/)
      .filter(Boolean);
    groups.set(name, new Set([...(groups.get(name) ?? []), ...users]));
  }
  return groups;
}
