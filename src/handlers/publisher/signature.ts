/** Parameters of a function, parsed from its source text: JavaScript has no other way. */
import {
  type AssignmentProperty,
  type Expression,
  type Function as FunctionNode,
  parseExpressionAt,
  type Pattern,
} from "acorn";
import { attempt } from "../../base/attempt.ts";
import { oncePer } from "../../base/cache.ts";
import { ModTsError } from "../../base/errors.ts";

export type Parameter =
  /** By name; `optional`: it has a default. */
  | { readonly kind: "one"; readonly name: string; readonly optional: boolean }
  /** `{ a, b = 1, ...rest }`: an object with these fields; `rest`: and all others. */
  | { readonly kind: "object"; readonly fields: readonly Field[]; readonly rest: boolean }
  /** `...rest`: all other fields, as pairs of name and value. */
  | { readonly kind: "rest" };

export interface Field {
  readonly name: string;
  readonly optional: boolean;
}

export interface Signature {
  /** Why the function is not published; undefined: it is. */
  readonly refusal: string | undefined;
  /** Parsed at the first call. Throws `MODTS_BAD_PARAMETERS` with the label of the function. */
  parameters(named: { readonly label: string }): readonly Parameter[];
}

export const signatureOf: (call: object) => Signature = oncePer((call) => {
  let parameters: readonly Parameter[] | undefined;
  return {
    refusal: refusalOf(textOf(call)),
    parameters: (named) => (parameters ??= read(textOf(call), named)),
  };
});

function textOf(call: object): string {
  return Function.prototype.toString.call(call);
}

function read(text: string, named: { readonly label: string }): readonly Parameter[] {
  try {
    return parse(text).params.map(toParameter);
  } catch (error) {
    const reason = (error as Error).message;
    throw new ModTsError("MODTS_BAD_PARAMETERS", { name: named.label, reason });
  }
}

/** Built-in or bound functions and Proxies have no source text. */
function refusalOf(text: string): string | undefined {
  if (/^class\b/.test(text)) return "a class";
  return /\{\s*\[native code\]\s*\}$/.test(text) ? "a built-in or bound function" : undefined;
}

/** Whether any parameter is filled from query and form. */
export function takesFields(parameters: readonly Parameter[]): boolean {
  return parameters.some((parameter) => parameter.kind !== "one" || parameter.name !== "req");
}

/** Functions are expressions; methods need an object, or a class for `super` and private names. */
function parse(text: string): FunctionNode {
  for (const [before, after] of wrappings) {
    const parsed = attempt(() => parseExpressionAt(before + text + after, 0, options), undefined);
    const found = parsed && functionIn(parsed);
    if (found) return found;
  }
  throw new TypeError("its text cannot be read");
}

const wrappings = [
  ["(", ")"],
  ["({", "})"],
  ["(class extends Object {", "})"],
] as const;

const options = { ecmaVersion: "latest", sourceType: "module", checkPrivateFields: false } as const;

function functionIn(expression: Expression): FunctionNode | undefined {
  switch (expression.type) {
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return expression;
    case "ObjectExpression": {
      const [property] = expression.properties;
      return property?.type === "Property" ? functionIn(property.value) : undefined;
    }
    case "ClassExpression": {
      const [member] = expression.body.body;
      return member?.type === "MethodDefinition" ? member.value : undefined;
    }
    default:
      return undefined;
  }
}

function toParameter(pattern: Pattern): Parameter {
  if (pattern.type === "RestElement") {
    if (pattern.argument.type === "Identifier") return { kind: "rest" };
    throw new TypeError("a rest parameter must be a name");
  }
  const isDefault = pattern.type === "AssignmentPattern";
  const target = isDefault ? pattern.left : pattern;
  if (target.type === "Identifier") return { kind: "one", name: target.name, optional: isDefault };
  if (target.type !== "ObjectPattern") throw new TypeError("an array pattern has no names");
  const rest = target.properties.some((property) => property.type === "RestElement");
  const fields = target.properties.flatMap((property) =>
    property.type === "Property" ? [toField(property)] : [],
  );
  return { kind: "object", fields, rest };
}

function toField({ key, computed, value }: AssignmentProperty): Field {
  if (computed || (key.type !== "Identifier" && key.type !== "Literal")) {
    throw new TypeError("a computed name cannot be read");
  }
  const name = key.type === "Identifier" ? key.name : String(key.value);
  return { name, optional: value.type === "AssignmentPattern" };
}
