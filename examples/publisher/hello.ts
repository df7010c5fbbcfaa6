import { published } from "mod-ts";

/** /publisher/hello.ts/time */
export function time(): string {
  return `It is ${new Date().toLocaleTimeString("en-GB")}.\n`;
}

/** /publisher/hello.ts/add?a=1&b=2: arguments are matched by parameter name. */
export function add(a: string, b = "0"): string {
  return `${Number(a) + Number(b)}\n`;
}

/** /publisher/hello.ts/greet?name=Ann&times=3: arguments that violate the schema are a 400 with the reasons. */
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
