/** Rules on lines of mod_headers that touch the headers between Apache and the sidecar. */
import { type Directive, isNamed, splitWords, walk } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import type { MergedConfig } from "./merged-config.ts";
import { isOurs } from "./our-directives.ts";

/** A request whose context differs from its seal is refused, and a handler that is unset does not run. */
export function checkHeaders(config: MergedConfig): Finding[] {
  return [...walk(config.tree)].flatMap((line) => {
    const name = isOurs(line, config.confFile) ? undefined : headerOf(line);
    if (name === undefined) return [];
    const what = `${line.name} ${line.args.split(/\s/, 1)[0]} ${name}: only mod_ts.conf may change this header, by which Apache and the sidecar speak to each other`;
    return [problem("header-ours", what, config.where(line), "remove the line")];
  });
}

/** Our header that a line changes. Appending to `Mod-Ts-Config` is documented, and allowed. */
function headerOf(line: Directive): string | undefined {
  if (!isNamed(line, "RequestHeader", "Header")) return undefined;
  const words = splitWords(line.args).filter((word) => !/^(?:always|onsuccess)$/i.test(word));
  const [action = "", name = ""] = words;
  if (!/^mod-ts-/i.test(name) || /^(?:echo|note)$/i.test(action)) return undefined;
  const isDocumented = /^(?:add|append)$/i.test(action) && /^mod-ts-config$/i.test(name);
  return isDocumented && isNamed(line, "RequestHeader") ? undefined : name;
}
