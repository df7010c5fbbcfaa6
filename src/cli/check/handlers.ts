/** Rules on handlers and options that Apache's configuration names. */
import { readdirSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { attempt } from "../../base/attempt.ts";
import { closest } from "../../base/did-you-mean.ts";
import { isModTsError } from "../../base/errors.ts";
import type { ResolvedConfig } from "../../config/config.ts";
import { createResolver, parseDirectives, requireInside } from "../../engine/directives.ts";
import { type HandlerReference, parseReference } from "../../engine/handler-reference.ts";
import { type HandlerModule, phaseNames } from "../../engine/handler.ts";
import { type Finding, problem } from "../../httpd/finding.ts";
import type { MergedConfig } from "../../httpd/merged-config.ts";
import type { OurDirective } from "../../httpd/our-directives.ts";
import { type Attempt, type Identity, tryAs } from "./as-user.ts";
import {
  type Judge,
  needsExport,
  needsHandler,
  needsNothing,
  needsPhase,
  readModule,
} from "./exports.ts";
import {
  builtInNames,
  optionNames,
  requiredOptions,
  wrongNumber,
  wrongWord,
} from "./known-options.ts";

/** @param user of the sidecar; undefined if it is unknown */
export async function checkHandlers(
  merged: MergedConfig,
  config: ResolvedConfig,
  user: Identity | undefined,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  /** Where they are named, by absolute path. */
  const files = new Map<string, string>();
  const find = createModuleResolver(config);
  const read = oncePerFile(readModule);
  const look = (where: string, uses: () => readonly NamedModule[]): void => {
    try {
      for (const { module, judge } of uses()) {
        const file = find(module);
        if (file === undefined) continue;
        files.set(file, where);
        const found = read(file);
        if (found) judge(found);
      }
    } catch (error) {
      findings.push(explain(error, where, config));
    }
  };
  for (const line of linesOf(config.name, merged.lines)) look(line.where, () => modulesOf(line));
  for (const { text, name } of namedByConfig(config)) {
    look(config.file, () => {
      const reference = parseReference(text);
      const judge = name === undefined ? needsNothing : needsExport(reference, name);
      return [{ module: reference.module, judge }];
    });
  }
  findings.push(...checkOptions(merged.lines), ...findMissingOptions(merged.lines));
  return [...findings, ...(await checkReadable(files, user))];
}

/**
 * Handlers of other sidecars lie in their directories. Whose an option is, its line does not say:
 * where Apache has several, files that options name are left out.
 */
function linesOf(name: string, lines: readonly OurDirective[]): OurDirective[] {
  const handlers = lines.filter(({ kind }) => (phaseNames as readonly string[]).includes(kind));
  const own = handlers.filter(({ sidecar }) => sidecar === name);
  return own.length === handlers.length ? [...lines] : own;
}

/** The part before `::` of a reference, and what the file must have. */
interface NamedModule {
  readonly module: string;
  readonly judge: Judge;
}

function named({ module }: HandlerReference, judge: Judge): NamedModule {
  return { module, judge };
}

/** A broken file is reported at the first line that names it. */
function oncePerFile<T>(read: (file: string) => T): (file: string) => T | undefined {
  const known = new Map<string, T | undefined>();
  return (file) => {
    if (known.has(file)) return known.get(file);
    known.set(file, undefined);
    const found = read(file);
    known.set(file, found);
    return found;
  };
}

/** The modules of all references in a line. Throws `MODTS_BAD_REFERENCE`. */
function modulesOf({ kind, value }: OurDirective): NamedModule[] {
  const application = /^mod_ts\.(?:fetch|node|fastify)\.application\s+(\S+)/.exec(value)?.[1];
  const text = kind === "option" ? application && `handler ${application}` : `${kind} ${value}`;
  if (text === undefined || !namesModules.test(text)) return [];
  const { handlers, filters, modules } = parseDirectives([text]);
  const called = [...handlers].flatMap(([phase, { plain, byExtension }]) =>
    [plain, ...byExtension.values()]
      .flat()
      .map((reference) =>
        named(
          reference,
          application === undefined
            ? needsHandler(reference, phase)
            : needsExport(reference, "default"),
        ),
      ),
  );
  const filtering = (["output", "input"] as const).flatMap((direction) =>
    (filters?.[direction] ?? []).map(({ reference }) =>
      named(reference, needsExport(reference, `${direction}Filter`)),
    ),
  );
  return [...called, ...filtering, ...modules.map((each) => named(each, needsPhase))];
}

/** Lines of phases and filters. */
const namesModules = new RegExp(`^(?:${phaseNames.join("|")}|(?:in|out)putfilter|module) `);

/** The file of a module; undefined for a built-in. Throws as the sidecar does. */
function createModuleResolver({
  handlers,
  development,
}: ResolvedConfig): (module: string) => string | undefined {
  const names = [...builtInNames, ...(development ? ["refresh"] : [])];
  const load = createResolver({
    roots: handlers,
    load: (file): HandlerModule => ({ exports: {}, file, generation: 0, release() {} }),
    builtins: Object.fromEntries(names.map((name) => [name, {}])),
  });
  return (module) => {
    const { file } = load(module, "") as HandlerModule;
    if (module.startsWith("mod_ts/")) return undefined;
    requireInside(realpathSync(file), handlers);
    return file;
  };
}

/** References of the configuration of the sidecar, with the export that is called by default. */
function namedByConfig({ preload, background, connections }: ResolvedConfig): {
  text: string;
  name?: string;
}[] {
  const { schedule, modules } = background;
  return [
    ...[...preload, ...modules].map((text) => ({ text })),
    ...Object.values(schedule).map(({ run }) => ({ text: run, name: "job" })),
    ...Object.values(connections).map(({ run }) => ({ text: run, name: "connectionHandler" })),
  ];
}

function explain(error: unknown, where: string, { handlers }: ResolvedConfig): Finding {
  if (!isModTsError(error)) throw error;
  const { code, message } = error;
  if (code === "MODTS_BUILD_FAILED") {
    return problem("handler-broken", message, where, "correct the file, or name another one");
  }
  if (code === "MODTS_MISSING_EXPORT" || code === "MODTS_UNKNOWN_PHASE") {
    return problem("export-missing", message, where, "correct the line, or write the export");
  }
  const name = /(?:mod_ts\/\S*(?=;)|(?<=file )\S+)/.exec(message)?.[0] ?? "";
  const candidates =
    code === "MODTS_UNKNOWN_BUILTIN"
      ? builtInNames.map((each) => `mod_ts/${each}`)
      : code === "MODTS_HANDLER_NOT_FOUND"
        ? filesBeside(name, handlers)
        : [];
  const guess = closest(name, candidates);
  const todo =
    guess === undefined ? "correct the line, or write the file" : `did you mean ${guess}?`;
  return problem("handler-missing", message, where, todo);
}

/** The handlers in the directory of a name. */
function filesBeside(name: string, roots: readonly string[]): string[] {
  const names = roots.flatMap((root) =>
    attempt(() => readdirSync(resolve(root, dirname(name))), []),
  );
  return names.filter((each) => /\.[cm]?tsx?$/.test(each)).map((each) => join(dirname(name), each));
}

function checkOptions(lines: readonly OurDirective[]): Finding[] {
  return lines.flatMap(({ kind, value, where }) => {
    const [name = ""] = value.split(/\s/);
    if (kind !== "option" || !name.startsWith("mod_ts.")) return [];
    if (optionNames.includes(name)) return checkValue(name, value.slice(name.length), where);
    const guess = closest(name, optionNames);
    const todo = guess === undefined ? "correct or remove it" : `did you mean ${guess}?`;
    return [problem("option-unknown", `mod_ts has no option ${name}`, where, todo)];
  });
}

function checkValue(name: string, value: string, where: string): Finding[] {
  const text = value.trim();
  const bounds = wrongNumber(name, text);
  if (bounds) {
    const expected = `a whole number from ${bounds.least} to ${bounds.greatest}`;
    const what = `option ${name} has the value "${text}"; expected ${expected}`;
    return [problem("option-value", what, where, "correct it")];
  }
  const wrong = wrongWord(name, text);
  if (!wrong) return [];
  const { word, expected } = wrong;
  const guess = closest(word, expected);
  const todo = guess === undefined ? "correct it" : `did you mean ${guess}?`;
  const addresses = name === "mod_ts.status.allow" ? ", or addresses and networks" : "";
  const what = `option ${name} has the value ${word}; expected ${expected.join(", ")}${addresses}`;
  return [problem("option-value", what, where, todo)];
}

/** What no line sets, in whichever section: which lines apply to a request is not worked out here. */
function findMissingOptions(lines: readonly OurDirective[]): Finding[] {
  const options = lines.filter(({ kind }) => kind === "option");
  const settled = new Set(options.map(({ value }) => /^(mod_ts\.\S+)\s+\S/.exec(value)?.[1]));
  return lines.flatMap(({ value, where }) =>
    requiredOptions(value).flatMap((names) => {
      if (names.some((name) => settled.has(name))) return [];
      // Once, at the first line.
      settled.add(names[0]);
      const what = `${value} needs the option ${names.join(" or ")}, which no line sets`;
      return [problem("option-missing", what, where, `Use TsOption ${names[0]} …`)];
    }),
  );
}

async function checkReadable(
  files: ReadonlyMap<string, string>,
  user: Identity | undefined,
): Promise<Finding[]> {
  if (!user || files.size === 0) return [];
  const attempts = [...files.keys()].map((path): Attempt => ({ kind: "read", path }));
  const codes = await tryAs(user, attempts);
  return [...files].flatMap(([file, where], index) => {
    if (!codes?.[index]) return [];
    const what = `the sidecar (user ${user.user}) may not read ${file}: ${codes[index]}`;
    const todo = "correct the mode of the file and of its directories";
    return [problem("handler-unreadable", what, where, todo)];
  });
}
