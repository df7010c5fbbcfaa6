import { published } from "mod-ts";

/** /publisher/hello.ts/time */
export function time(): string {
  return `It is ${new Date().toLocaleTimeString("en-GB")}.\n`;
}

/** /publisher/hello.ts/add?a=1&b=2: arguments by the names of the parameters. */
export function add(a: string, b = "0"): string {
  return `${Number(a) + Number(b)}\n`;
}

/** /publisher/hello.ts/greet?name=Ann&times=3: what does not fit the schema is a 400 that says why. */
export const greet = published(
  {
    type: "object",
    properties: {
      name: { type: "string", minLength: 1, maxLength: 40 },
      times: { type: "integer", minimum: 1, maximum: 10, default: 1 },
    },
    required: ["name"],
  },
  ({ name, times }: { name: string; times: number }) => `Hello, ${name}! `.repeat(times),
);

/** /publisher/hello.ts/list: an object becomes JSON. */
export function list(): object {
  return { functions: ["time", "add", "greet", "list"] };
}
