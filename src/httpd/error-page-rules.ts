/** Rules on `ErrorDocument` pages that fail with the request that they are for. */
import {
  type AppliedSection,
  fileOf,
  type Host,
  type Section,
  sectionsFor,
} from "./config-model.ts";
import { type Directive, isNamed, splitWords } from "./config-tree.ts";
import { type Finding, problem } from "./finding.ts";
import { isGuardLine } from "./guard-rules.ts";
import { type MergedConfig, titleOf } from "./merged-config.ts";
import { isOurs, type OurDirective } from "./our-directives.ts";
import { needsUser } from "./require-lines.ts";

export function checkErrorPages(config: MergedConfig): Finding[] {
  return config.hosts.flatMap((host) => {
    const sections = config.sections.filter((each) => config.hostsOf(each).includes(host));
    const guarded = sections.filter((each) => config.ours(each).some(isGuardLine));
    const lines = [...(host.main?.plain ?? []), ...host.plain];
    return [
      ...lines.flatMap((line) => checkErrorPage(config, host, line, guarded)),
      ...sections.flatMap((section) =>
        section.content.flatMap((line) => checkErrorPage(config, host, line, [section])),
      ),
    ];
  });
}

/** @param origins sections whose requests get the page */
function checkErrorPage(
  config: MergedConfig,
  host: Host,
  line: Directive,
  origins: readonly Section[],
): Finding[] {
  if (!isNamed(line, "ErrorDocument") || isOurs(line, config.confFile)) return [];
  const [status = "", target = ""] = splitWords(line.args);
  const [uri = ""] = target.split("?", 1);
  // A page of another server, or a text, passes no section here.
  if (!/^(?:401|403|503)$/.test(status) || !uri.startsWith("/")) return [];
  const chain = sectionsFor(host, { uri, file: fileOf(host, uri) });
  const sure = sureOf(chain);
  const deciding = config.deciding(chain);
  const guard =
    deciding && needsUser(config.requires(deciding))
      ? sure.findLast((each) => config.ours(each).some(isGuardLine))
      : undefined;
  // Apache does not ask again where the same sections apply.
  const refused = guard && origins.find((each) => !isSame(sureOf(config.chain(each, host)), sure));
  const page = `ErrorDocument ${status} ${target}`;
  if (status === "503") {
    const handled = sure.findLast((each) => config.ours(each).some(isHandler));
    const needing = (refused && guard) ?? handled;
    if (!needing) return [];
    const what = `${page} is not shown while the sidecar is down: ${titleOf(needing)} needs it`;
    const todo = "use a static page outside of guards and handlers";
    return [problem("error-page-refused", what, config.where(line), todo)];
  }
  if (!guard || !refused) return [];
  const what = `${page} is not shown to clients that ${titleOf(refused)} refuses: ${titleOf(guard)} guards it`;
  const todo = `add <Location "${uri}"> with Require all granted`;
  return [problem("error-page-refused", what, config.where(line), todo)];
}

function sureOf(chain: readonly AppliedSection[]): Section[] {
  return chain.filter(({ match }) => match === "yes").map(({ section }) => section);
}

function isSame(one: readonly Section[], other: readonly Section[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

function isHandler({ kind }: OurDirective): boolean {
  return kind === "handler";
}
