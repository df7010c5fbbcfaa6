/**
 * Program of a warm process: waits for its order, then runs one script as `node script` does. It is
 * JavaScript because Node's type stripping would double the time in which a process starts.
 *
 * Descriptor 3 is a socket to the worker, one JSON text a line. The process reads its order from
 * it, then asks for the TypeScript that the script imports, one request at a time. The worker's
 * end is closed when the worker ends, however it ends, and an idle process ends with it.
 */
// @ts-check
"use strict";
const { closeSync, readSync, writeSync } = require("node:fs");
const nodeModule = require("node:module");
const { dirname } = require("node:path");
const { inspect } = require("node:util");

const channel = 3;

/** @param {unknown} message */
function send(message) {
  writeSync(channel, `${JSON.stringify(message)}\n`);
}

/** Blocks until the worker has sent a line; exits if the worker has ended. */
function receive() {
  const buffer = Buffer.allocUnsafe(65_536);
  const chunks = [];
  for (;;) {
    const length = readSync(channel, buffer);
    if (length === 0) process.exit(1);
    chunks.push(Buffer.from(buffer.subarray(0, length)));
    // The worker sends nothing before it is asked, so a line feed can only be the last byte.
    if (buffer[length - 1] === 0x0a) return JSON.parse(Buffer.concat(chunks).toString());
  }
}

/** @param {unknown} message */
function request(message) {
  send(message);
  const { error, ...result } = receive();
  if (error) throw Object.assign(new Error(error.message), error);
  return result;
}

/** @param {string} publicModuleUrl what `mod-ts` stands for in an import */
function installHooks(publicModuleUrl) {
  // Packages are excluded: to read their source maps would cost each script time.
  nodeModule.setSourceMapsSupport(true, { nodeModules: false, generatedCode: false });
  nodeModule.registerHooks({
    resolve(specifier, context, nextResolve) {
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        const parent = context.parentURL;
        const url = specifier === "mod-ts" ? publicModuleUrl : request({ specifier, parent }).url;
        if (url === undefined) throw error;
        return { url, shortCircuit: true };
      }
    },
    load(url, context, nextLoad) {
      if (/^file:.*\.[cm]?tsx?$/.test(url)) {
        return { ...request({ url, format: context.format }), shortCircuit: true };
      }
      const loaded = nextLoad(url, context);
      const { source } = loaded;
      // V8 knows `#!` only as the first two characters.
      if (typeof source !== "string" || !source.startsWith("\ufeff#!")) return loaded;
      return { ...loaded, source: source.slice(1) };
    },
  });
}

/** Tells the worker what ends the script, if the script has no way of its own to deal with it. */
function reportUncaught() {
  process.on("uncaughtExceptionMonitor", (/** @type {unknown} */ thrown) => {
    if (process.listenerCount("uncaughtException") > 0) return;
    if (process.hasUncaughtExceptionCaptureCallback()) return;
    const isError = thrown instanceof Error;
    const { name, message, stack } = isError ? thrown : new Error(inspect(thrown));
    send({ error: { name, message, stack: isError ? stack : message } });
  });
}

/**
 * Ends the output before Node tears itself down, which takes as long as a small script. A script
 * with its own exit listeners may still write.
 */
function reportExit() {
  process.on("exit", (code) => {
    if (process.listenerCount("exit") > 1) return;
    closeSync(1);
    send({ exit: code });
  });
}

function main() {
  // Node writes to sockets asynchronously, and `process.exit()` drops what is still buffered.
  for (const stream of [process.stdout, process.stderr]) {
    const { _handle: handle } = /** @type {any} */ (stream);
    handle?.setBlocking?.(true);
  }
  send({ ready: true });
  const { file, env } = receive();
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  process.title = `mod-ts: cgi ${file}`;
  process.chdir(dirname(file));
  process.argv.splice(1, Infinity, file);
  reportUncaught();
  reportExit();
  // Not in Node's types: as `node file` does, `require.main` and `import.meta.main` included.
  /** @type {any} */ (nodeModule).runMain(file);
}

process.title = "mod-ts: cgi";
installHooks(process.argv[2] ?? "");
// The first import of a process sets up Node's loader for ES modules.
const nothing = "data:text/javascript,";
import(nothing).then(() => setImmediate(main));
