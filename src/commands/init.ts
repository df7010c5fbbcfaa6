/**
 * `mod-ts init`: the first three files.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseCommand } from "./command.ts";

export const usage = "init [folder]";

export const summary = `Writes a first handler, a configuration and what Apache needs to know.

Files that are there already are left alone.`;

export const options = {} as const;

const files = {
  "hello.ts": `import { OK, type ApacheRequest } from "mod-ts";

export function handler(req: ApacheRequest) {
  req.contentType = "text/plain";
  req.write("Hello from mod_ts!\\n");
  return OK;
}
`,
  "mod-ts.config.ts": `import { defineConfig } from "mod-ts/config";

// Which handler runs where is said in apache.conf. Here: where handlers may lie, and limits.
export default defineConfig({
  handlers: ["."],
});
`,
  "apache.conf": `# Include this file after mod_ts.conf, at server level or in a <VirtualHost>.

<Location "/hello">
    Use TsHandler hello.ts
</Location>

# The address / alone; everything else below it stays Apache's.
<LocationMatch "^/$">
    Use TsHandler hello.ts
</LocationMatch>

# What Apache told mod_ts about a request. Shown to this machine alone.
<Location "/test-page">
    Use TsHandler mod_ts/test-page
    Require local
</Location>
`,
} as const;

/** Always gives 0. Throws when the folder cannot be written. */
export async function run(argv: string[]): Promise<number> {
  const { positionals } = parseCommand(options, argv);
  const folder = resolve(positionals[0] ?? ".");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const verb = writeNew(join(folder, name), text) ? "wrote" : "kept";
    process.stdout.write(`${verb.padEnd(5)} ${join(folder, name)}\n`);
  }
  process.stdout.write(nextSteps(relative(process.cwd(), folder)));
  return 0;
}

function writeNew(file: string, text: string): boolean {
  try {
    // Exclusive, not "look, then write": what somebody saves in between stays.
    writeFileSync(file, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function nextSteps(folder: string): string {
  const argument = folder === "" ? "" : ` ${folder}`;
  const option = folder === "" ? "" : ` --folder ${folder}`;
  const steps = [
    [`mod-ts run hello.ts${option}`, "one request, no Apache"],
    [
      `mod-ts dev${argument}`,
      "a private Apache with these files: see /hello; saves take effect at once",
    ],
    [`mod-ts conf${argument} --install`, "put mod_ts.conf and apache.conf into your Apache"],
    [`mod-ts check${argument}`, "what is wrong with the set-up, and what to do"],
    [`mod-ts start${argument}`, "the sidecar, for production"],
  ] as const;
  const width = Math.max(...steps.map(([command]) => command.length));
  const lines = steps.map(([command, text]) => `  ${command.padEnd(width)}  ${text}\n`);
  return `\nNext:\n${lines.join("")}`;
}
