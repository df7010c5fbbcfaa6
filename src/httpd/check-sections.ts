/** All rules on the merged configuration. */
import { checkAddresses, type SidecarAddresses } from "./address-rules.ts";
import { checkCaches } from "./cache-rules.ts";
import { checkErrorPages } from "./error-page-rules.ts";
import { checkFiles, type SidecarDirectories } from "./file-rules.ts";
import { checkFilters } from "./filter-rules.ts";
import type { Finding } from "./finding.ts";
import { checkGuards } from "./guard-rules.ts";
import { checkHeaders } from "./header-rules.ts";
import type { MergedConfig } from "./merged-config.ts";
import { checkPolicies } from "./policy-rules.ts";
import { checkProxies } from "./proxy-rules.ts";
import { checkSettings } from "./setting-rules.ts";

export function checkSections(
  config: MergedConfig,
  sidecar: SidecarAddresses & SidecarDirectories,
): Finding[] {
  if (config.confFile === undefined) return [];
  return [
    ...onePerLine([
      ...checkGuards(config),
      ...checkPolicies(config),
      ...checkProxies(config),
      ...checkSettings(config),
      ...checkHeaders(config),
      ...checkCaches(config),
      ...checkErrorPages(config),
      ...checkFilters(config),
    ]),
    ...checkAddresses(config, sidecar),
    ...checkFiles(config, sidecar),
  ];
}

/** One line can be wrong in several virtual hosts, and for several guards. */
function onePerLine(findings: readonly Finding[]): Finding[] {
  const byLine = new Map<string, Finding>();
  for (const each of findings) {
    const key = `${each.rule} ${each.where}`;
    if (!byLine.has(key)) byLine.set(key, each);
  }
  return [...byLine.values()];
}
