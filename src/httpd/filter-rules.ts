/** Rule on Apache's filters where a callback serves the resource: they run in it, and again on the result. */
import type { Host, Section } from "./config-model.ts";
import { type Directive, isNamed, splitWords, walk } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";
import type { OurDirective } from "./our-directives.ts";

/** Macros that serve a resource by a callback, by the kind of their line. */
const macros: Readonly<Record<string, string>> = {
  outputfilter: "TsOutputFilter",
  inputfilter: "TsInputFilter",
  module: "TsModule",
};

/** Compression recognizes what it has compressed; these filters do not. */
const filters = ["INCLUDES", "SUBSTITUTE", "SED"];

export function checkFilters(config: MergedConfig): Finding[] {
  return config.sections.flatMap((section) =>
    config.hostsOf(section).flatMap((host) => checkFilter(config, section, host)),
  );
}

function checkFilter(config: MergedConfig, section: Section, host: Host): Finding[] {
  const ours = config.ours(section);
  const origin = ours.find(isOrigin);
  if (!origin) return [];
  const sure = config.chain(section, host).filter(({ match }) => match === "yes");
  const chain = sure.map((each) => each.section);
  // The content of a TsHandler needs no callback.
  const handlers = chain.flatMap((each) => config.ours(each)).filter(isHandler);
  if (!handlers.every(isOrigin)) return [];
  const line = findFilter(config, host, chain);
  if (!line) return [];
  const named = ours.find(({ kind }) => macros[kind] !== undefined);
  const cause = named ? `${macros[named.kind]} ${named.value}` : `TsAroundHandler ${origin.value}`;
  const what = `${line.name} ${line.args} runs twice in ${titleOf(section)}: on the original, and on the result of ${cause} (${origin.where})`;
  const variable = origin.sidecar === "" ? "MOD_TS_CALL" : `MOD_TS_CALL_${origin.sidecar}`;
  const todo = `in <If "reqenv('${variable}') =~ m#^pass;#"> it filters the original only, in <If "-z reqenv('${variable}')"> the result only`;
  return [problem("filter-twice", what, config.where(line), todo)];
}

function isHandler({ kind }: OurDirective): boolean {
  return kind === "handler";
}

function isOrigin(line: OurDirective): boolean {
  return isHandler(line) && /(?:^|[\s?])mod_ts\/origin$/.test(line.value);
}

/** Of those by the extension of a file, only the lines of sections: Debian has one for all `.shtml`. */
function findFilter(
  { tree }: MergedConfig,
  { plain, main }: Host,
  chain: readonly Section[],
): Directive | undefined {
  const external = [...walk(tree)]
    .filter((each) => isNamed(each, "ExtFilterDefine"))
    .map(({ args }) => splitWords(args)[0]?.toUpperCase() ?? "");
  const doubled = new Set([...filters, ...external]);
  const isDoubled = ({ args }: Directive): boolean =>
    (splitWords(args)[0] ?? "").split(";").some((name) => doubled.has(name.toUpperCase()));
  const inside = chain.flatMap(({ content }) => content);
  const lines = [...(main?.plain ?? []), ...plain, ...inside];
  const set = lines.findLast((each) => isNamed(each, "SetOutputFilter"));
  if (set && isDoubled(set)) return set;
  return [
    ...lines.filter((each) => isNamed(each, "AddOutputFilterByType")),
    ...inside.filter((each) => isNamed(each, "AddOutputFilter")),
  ].find(isDoubled);
}
