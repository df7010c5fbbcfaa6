/** `mod-ts init`: a first handler, its configuration, and the files of an npm project. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ignoring } from "../../base/attempt.ts";
import { parseCommand } from "./command.ts";

export const usage = "init [directory]";

export const summary = `Writes a first handler, its configuration, apache.conf, and the files of an npm project.

Existing files are kept.`;

export const options = {} as const;

/** The same from `src` and from `dist`. */
const templates = fileURLToPath(new URL("../../../templates/init", import.meta.url));

export async function run(argv: string[]): Promise<number> {
  const { positionals } = parseCommand(options, argv);
  const directory = resolve(positionals[0] ?? ".");
  for (const name of templateFiles()) {
    // npm leaves files named .gitignore out of a package.
    const file = join(directory, name === "gitignore" ? ".gitignore" : name);
    mkdirSync(dirname(file), { recursive: true });
    const verb = writeNew(file, readFileSync(join(templates, name), "utf8")) ? "wrote" : "kept";
    process.stdout.write(`${verb.padEnd(5)} ${file}\n`);
  }
  const path = relative(process.cwd(), directory);
  process.stdout.write(nextSteps(path.startsWith("..") ? directory : path));
  return 0;
}

function templateFiles(): string[] {
  const names = readdirSync(templates, { recursive: true, encoding: "utf8" });
  return names.filter((name) => statSync(join(templates, name)).isFile()).toSorted();
}

/** Whether there was no such file, and it was written. */
function writeNew(file: string, text: string): boolean {
  const written = ignoring("EEXIST", () => {
    writeFileSync(file, text, { flag: "wx" });
    return true;
  });
  return written ?? false;
}

function nextSteps(directory: string): string {
  const argument = directory === "" ? "" : ` ${directory}`;
  const option = directory === "" ? "" : ` --directory ${directory}`;
  const prefix = directory === "" ? "" : ` --prefix ${directory}`;
  const steps = [
    [
      `npm install --save-dev typescript @types/node mod-ts${prefix}`,
      "types in the editor, and for mod-ts check",
    ],
    [`mod-ts run hello.ts${option}`, "one request without Apache"],
    [`mod-ts dev${argument}`, "a private Apache with these files; saved files take effect at once"],
    [
      `mod-ts conf${argument} --install`,
      "install mod_ts.conf, and a copy of apache.conf, into your Apache",
    ],
    [`mod-ts start${argument}`, "the sidecar for production"],
    [`mod-ts check${argument}`, "check the setup"],
  ] as const;
  const lines = steps.map(([command, text]) => `  ${command}\n      ${text}\n`);
  return `\nNext:\n${lines.join("")}`;
}
