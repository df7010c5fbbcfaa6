/** Place of a syntax error in what Node loads: Node names the message only where the file is an ES module. */
import { readFileSync } from "node:fs";
import vm from "node:vm";
import { Parser } from "acorn";
import { attempt } from "../base/attempt.ts";
import { formatPosition } from "./build-error.ts";
import { resolvePackage } from "./packages.ts";

/** Packages with more are given up. */
const mostFiles = 2000;

/** `file:line`, or the file where the line is unknown; undefined where nothing is found. */
export function placeOfSyntaxError(
  error: SyntaxError,
  specifier: string,
  importer: string,
): string | undefined {
  const named = /^(?:file:\/\/)?(\/.+:\d+)\n/.exec(error.stack ?? "")?.[1];
  return named ?? placeBelow(error.message, { specifier, importer });
}

/** Compiles what the import reaches, until one file fails as it did. */
function placeBelow(
  message: string,
  first: { specifier: string; importer: string },
): string | undefined {
  const imports = [first];
  const seen = new Set<string>();
  for (const { specifier, importer } of imports) {
    const file = attempt(() => resolvePackage(specifier, importer), "");
    if (!/\.m?js$/.test(file) || seen.has(file) || seen.size === mostFiles) continue;
    seen.add(file);
    const text = attempt(() => readFileSync(file, "utf8"), "");
    try {
      const { moduleRequests } = new vm.SourceTextModule(text);
      imports.push(
        ...moduleRequests.map((each) => ({ specifier: each.specifier, importer: file })),
      );
    } catch (failure) {
      if (failure instanceof SyntaxError && failure.message === message)
        return formatPosition({ file, ...placeIn(text) });
    }
  }
  return undefined;
}

/** V8 keeps the line to itself. */
function placeIn(text: string): { line: number; column: number } {
  try {
    Parser.parse(text, { ecmaVersion: "latest", sourceType: "module", allowHashBang: true });
  } catch (error) {
    const { loc } = error as { loc?: { line: number; column: number } };
    if (loc) return { line: loc.line, column: loc.column + 1 };
  }
  return { line: 0, column: 0 };
}
