/** What httpd says about an unknown macro, with the one that was meant. */
import { readFileSync } from "node:fs";
import { suggestion } from "../base/did-you-mean.ts";
import { confFile } from "./render.ts";

/** Adds a guess to httpd's words where it names an undefined macro. */
export function guessMacro(words: string): string {
  return words.replace(
    /macro '([^']+)' undefined/gi,
    (whole: string, name: string) => whole + suggestion(name, macroNames()),
  );
}

function macroNames(): string[] {
  const text = readFileSync(confFile, "utf8");
  return Array.from(text.matchAll(/^\s*<Macro (\S+)/gm), ([, name = ""]) => name);
}
