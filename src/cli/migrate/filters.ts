/** Filters in Python: defined under a name in one place, put into the chain in others. */
import type { Section } from "../../httpd/config-model.ts";
import type { SourceDirective } from "../../httpd/config-source.ts";
import { isNamed, splitWords, walk } from "../../httpd/config-tree.ts";
import { forExtensions } from "./content.ts";
import type { Edits } from "./edits.ts";
import type { Model } from "./model.ts";

type Direction = "input" | "output";

/** Definitions by the name of the filter in lower case. */
export function readFilters(model: Model): Map<string, SourceDirective> {
  const definitions = [...walk(model.tree)].filter((each) =>
    isNamed(each, "PythonInputFilter", "PythonOutputFilter"),
  );
  return new Map(
    (definitions as SourceDirective[]).map((each) => {
      const [handler = "", name = handler] = splitWords(each.args);
      return [name.toLowerCase(), each];
    }),
  );
}

export function convertFilters(
  own: readonly SourceDirective[],
  section: Section | undefined,
  filters: ReadonlyMap<string, SourceDirective>,
  edits: Edits,
  reference: (handler: string, direction: Direction) => string,
): void {
  for (const each of own) {
    if (isNamed(each, "PythonInputFilter", "PythonOutputFilter")) {
      edits.replace(each, "# in the sections with Set…Filter or Add…Filter");
    }
    const use = readUse(each);
    if (!use || !use.names.some((name) => filters.has(name.toLowerCase()))) continue;
    const ours = use.names.filter((name) => filters.has(name.toLowerCase()));
    const others = use.names.filter((name) => !ours.includes(name));
    const references = ours.map((name) => {
      const [handler = ""] = splitWords(filters.get(name.toLowerCase())?.args ?? "");
      return reference(handler, use.direction);
    });
    const macro = use.direction === "input" ? "TsInputFilter" : "TsOutputFilter";
    const types = use.types.length > 0 ? ` | ${use.types.join(" ")}` : "";
    const line = `Use ${macro} "${references.join(" ")}${types}"`;
    edits.replace(
      each,
      ...(use.extensions.length > 0 ? forExtensions(use.extensions, [line], section) : [line]),
      ...(others.length > 0 ? [[each.name, others.join(";"), ...use.rest].join(" ")] : []),
    );
  }
}

interface FilterUse {
  readonly direction: Direction;
  readonly names: readonly string[];
  readonly extensions: readonly string[];
  readonly types: readonly string[];
  readonly rest: readonly string[];
}

function readUse(directive: SourceDirective): FilterUse | undefined {
  const [, kind, direction, byType] =
    /^(Set|Add)(Input|Output)Filter(ByType)?$/i.exec(directive.name) ?? [];
  if (kind === undefined || direction === undefined) return undefined;
  const [list = "", ...rest] = splitWords(directive.args);
  const isAdd = /^add$/i.test(kind);
  return {
    direction: direction.toLowerCase() as Direction,
    names: list.split(";").filter(Boolean),
    extensions:
      isAdd && byType === undefined ? rest.map((each) => `.${each.replace(/^\./, "")}`) : [],
    types: byType === undefined ? [] : rest,
    rest,
  };
}
