/**
 * How a script's thread loads TypeScript: by Node's own loaders, with code that the worker compiles for it.
 * @module
 */
import nodeModule, { registerHooks } from "node:module";
import { receiveMessageOnPort } from "node:worker_threads";
import type { SourceAnswer, SourceQuestion } from "./script-sources.ts";
import { answerWord, type ThreadData } from "./thread-protocol.ts";

/**
 * Installs the hooks.
 * @param onBuiltin called with the name of a module of Node's, before it is given to somebody
 */
export function installModuleHooks(data: ThreadData, onBuiltin: (name: string) => void): void {
  // Our own code has its map in it; those of packages would cost each script the time to read them.
  nodeModule.setSourceMapsSupport(true, { nodeModules: false, generatedCode: false });
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (!specifier.startsWith(".")) onBuiltin(specifier.replace(/^node:/, ""));
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        const parent = context.parentURL;
        const url = specifier === "mod-ts" ? data.face : ask(data, { specifier, parent }).url;
        if (url === undefined) throw error;
        return { url, shortCircuit: true };
      }
    },
    load(url, context, nextLoad) {
      if (!/^file:.*\.[cm]?tsx?$/.test(url)) return nextLoad(url, context);
      const { format, source } = ask(data, { url, format: context.format });
      return { format, source, shortCircuit: true };
    },
  });
}

/** Asks the worker, and stands still until it has answered. Throws what the worker has for an answer, if that is an error. */
function ask({ source, control }: ThreadData, question: SourceQuestion): SourceAnswer {
  source.postMessage(question);
  for (;;) {
    const seen = Atomics.load(control, answerWord);
    const answer = receiveMessageOnPort(source)?.message as SourceAnswer | undefined;
    if (answer?.error) throw answer.error;
    if (answer) return answer;
    Atomics.wait(control, answerWord, seen);
  }
}
