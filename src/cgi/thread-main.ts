/**
 * The life of a script's thread: it gets ready, waits for its order, runs one script as a process of its own would, and ends.
 * @module
 */
import nodeModule from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { workerData } from "node:worker_threads";
import { reportChildren } from "./thread-children.ts";
import { adoptDescriptors } from "./thread-descriptors.ts";
import { WorkingFolder } from "./thread-folder.ts";
import { StandardInput } from "./thread-input.ts";
import { installModuleHooks } from "./thread-modules.ts";
import { StandardOutput } from "./thread-output.ts";
import type { RunOrder, ThreadData } from "./thread-protocol.ts";

/** Not in the types of Node: what `node file` does with its file, `require.main` and `import.meta.main` included. */
type RunMain = (file: string) => void;

const data = workerData as ThreadData;
const streams = {
  stdin: new StandardInput(data),
  stdout: new StandardOutput(1, data),
  stderr: new StandardOutput(2, data),
};
for (const [name, stream] of Object.entries(streams)) {
  Object.defineProperty(process, name, { configurable: true, enumerable: true, value: stream });
}
const folder = new WorkingFolder();
let hasChildren = false;
installModuleHooks(data, (name) => {
  if (name !== "child_process" || hasChildren) return;
  hasChildren = true;
  folder.adoptChildren();
  reportChildren((group) => data.port.postMessage({ group }));
});
data.port.once("message", run);
data.port.postMessage({});

function run({ file, env, childTimeout }: RunOrder): void {
  Object.assign(process.env, env);
  process.argv.splice(1, Infinity, file);
  folder.adopt(dirname(file), childTimeout);
  adoptDescriptors(streams);
  nodeModule.syncBuiltinESMExports();
  const { runMain } = nodeModule as unknown as { runMain?: RunMain };
  if (runMain) runMain(file);
  else void import(pathToFileURL(file).href);
}
