/** Whether the exports of handler modules are what their phases call, as code for the compiler. */
import { readFileSync } from "node:fs";
import { positionAt } from "../../loader/build-error.ts";
import type { Diagnostic } from "./typescript.ts";

/** An export that the contract names. One for each line of the code, from 1. */
interface Export {
  readonly file: string;
  readonly name: string;
  readonly line: number;
  readonly column: number;
}

export interface Contracts {
  readonly code: string;
  readonly exports: readonly Export[];
}

/** A forgotten return is an error, except after the response. */
const types: Readonly<Record<string, string>> = {
  handler: "Handler",
  logHandler: "FinalHandler",
  cleanupHandler: "FinalHandler",
  webSocketHandler: "WebSocketHandler",
  connectionHandler: "ConnectionHandler",
  ...Object.fromEntries(
    "trans init headerParser access authen authz type fixup"
      .split(" ")
      .map((phase) => [`${phase}Handler`, "PhaseHandler"]),
  ),
};

const declaration =
  'import type { ApacheRequest, ConnectionHandler, Handler, Outcome, WebSocketHandler } from "mod-ts"; ' +
  "type PhaseHandler = (req: ApacheRequest) => Outcome | Promise<Outcome>; " +
  "type FinalHandler = (req: ApacheRequest) => Outcome | void | Promise<Outcome | void>;";

/** The name is the first one: `export function handler`, `export const handler`. */
const pattern =
  /^export\s+(?:declare\s+)?(?:async\s+)?(?:function\s*\*?|const|let|var|class)\s+(\w+)/gm;

/** Code that is to be checked with the modules. */
export function formatContracts(modules: readonly string[]): Contracts {
  const exports = modules.flatMap(exportsOf);
  const lines = exports.map(({ file, name }) => {
    return `(0 as unknown as typeof import(${JSON.stringify(file)}))["${name}"] satisfies ${types[name]};`;
  });
  // Below the checks, so that their lines are those of `exports`.
  return { code: `${lines.join("\n")}\n${declaration}\n`, exports };
}

function exportsOf(file: string): Export[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(pattern)].flatMap((match) => {
    const [whole, name = ""] = match;
    if (!Object.hasOwn(types, name)) return [];
    return [{ file, name, ...positionAt(text, match.index + whole.length - name.length) }];
  });
}

/** A diagnostic of the code at the place of the export. */
export function placeContract({ line, message }: Diagnostic, contracts: Contracts): Diagnostic {
  const found = contracts.exports[line - 1];
  if (!found) return { file: undefined, line: 0, column: 0, message };
  const { name, ...place } = found;
  return { ...place, message: `${name} is not what its phase calls: ${message}` };
}
