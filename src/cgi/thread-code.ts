/**
 * Our own modules for a script's thread. A package brings them as JavaScript; in a checkout they are TypeScript, and each thread
 * would start Node's compiler for them anew, which takes longer than everything else. So they are compiled once here.
 * @module
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compile } from "../loader/compile.ts";

/** The module and what it imports of ours, by URL; empty when that is JavaScript already. */
export function compileThreadCode(entry: string): Record<string, string> {
  const code: Record<string, string> = {};
  if (entry.endsWith(".ts")) addModule(entry, code);
  return code;
}

function addModule(url: string, code: Record<string, string>): void {
  if (url in code) return;
  const file = fileURLToPath(url);
  const compiled = compile(file, readFileSync(file, "utf8")).code;
  code[url] = compiled;
  for (const [, specifier = ""] of compiled.matchAll(/\bfrom "(\.[^"]+\.ts)"/g)) {
    addModule(new URL(specifier, url).href, code);
  }
}
