/** What a Python module declares at its top level; no more is understood of it. */
import { readFileSync } from "node:fs";

export interface Parameter {
  readonly name: string;
  /** Source of the default. */
  readonly preset?: string | undefined;
  /** `*` of `*args`, `**` of `**kw`. */
  readonly stars: string;
}

export interface PythonFunction {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly line: number;
  /** Names of functions and values in its body that guard it: `__auth__` and similar. */
  readonly guards: readonly string[];
}

export interface PythonModule {
  readonly functions: readonly PythonFunction[];
  readonly classes: readonly string[];
  /** Names that are assigned, in order. */
  readonly values: readonly string[];
}

const guardName = /__(?:auth|access)__|__auth_realm__/g;

export function readPython(text: string): PythonModule {
  const blank = withoutText(text);
  const functions = [
    ...blank.matchAll(/^(?:async[ \t]+)?def[ \t]+([\p{L}_][\p{L}\p{N}_]*)[ \t]*\(/gmu),
  ];
  const names = (pattern: RegExp): string[] => [
    ...new Set([...blank.matchAll(pattern)].map(([, name = ""]) => name)),
  ];
  return {
    functions: functions.map((match) => {
      const open = match.index + match[0].length;
      const close = findClose(blank, open);
      return {
        name: match[1] ?? "",
        parameters: readParameters(blank, text, open, close),
        line: text.slice(0, match.index).split("\n").length,
        guards: [...new Set(bodyOf(blank, close).match(guardName))],
      };
    }),
    classes: names(/^class[ \t]+([\p{L}_][\p{L}\p{N}_]*)/gmu),
    values: [
      ...names(/^([\p{L}_][\p{L}\p{N}_]*)[ \t]*=(?!=)/gmu),
      // Attack: an imported guard is one, too.
      ...[...blank.matchAll(/^from[ \t][^\n(]*(?:\([^)]*\))?/gm)].flatMap(
        ([line]) => line.match(guardName) ?? [],
      ),
    ],
  };
}

export function readPythonFile(file: string): PythonModule {
  return readPython(readFileSync(file, "utf8"));
}

/** Functions of a file, and the names of whatever else can be called. */
export function functionNames(file: string): Set<string> {
  const { functions, classes, values } = readPythonFile(file);
  return new Set([...functions.map(({ name }) => name), ...classes, ...values]);
}

/** The same length and lines, without comments and the content of strings. */
function withoutText(text: string): string {
  const token = /#.*|[rbuf]{0,2}("""|''')[^]*?(?:\1|$)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/gi;
  return text.replaceAll(token, (part) => part.replaceAll(/[^\n]/g, "_"));
}

function findClose(text: string, open: number): number {
  let depth = 1;
  for (let at = open; at < text.length; at += 1) {
    if ("([{".includes(text[at]!)) depth += 1;
    if (")]}".includes(text[at]!)) depth -= 1;
    if (depth === 0) return at;
  }
  return text.length;
}

function bodyOf(text: string, close: number): string {
  const [body = ""] =
    /^[^\n]*\n(?:[ \t]+[^\n]*(?:\n|$)|[ \t]*(?:\n|$))*/.exec(text.slice(close)) ?? [];
  return body;
}

/** Positions are those of the text without strings; the defaults come from the real one. */
function readParameters(blank: string, text: string, open: number, close: number): Parameter[] {
  const parameters: Parameter[] = [];
  let depth = 0;
  let start = open;
  for (let at = open; at <= close; at += 1) {
    if ("([{".includes(blank[at] ?? " ")) depth += 1;
    if (")]}".includes(blank[at] ?? " ") && at < close) depth -= 1;
    const isInside = depth > 0 || /\blambda\b[^:]*$/.test(blank.slice(start, at));
    if (at < close && (isInside || blank[at] !== ",")) continue;
    const parameter = readParameter(blank.slice(start, at), text.slice(start, at));
    if (parameter) parameters.push(parameter);
    start = at + 1;
  }
  return parameters;
}

function readParameter(blank: string, text: string): Parameter | undefined {
  const [, stars = "", name = ""] = /^\s*(\*{0,2})\s*([\p{L}_][\p{L}\p{N}_]*)/u.exec(blank) ?? [];
  if (name === "") return undefined;
  const equals = blank.indexOf("=");
  return { name, stars, ...(equals >= 0 && { preset: text.slice(equals + 1).trim() }) };
}
