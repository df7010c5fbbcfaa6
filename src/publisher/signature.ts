/**
 * What a function wants to be called with, read from its text: JavaScript tells a function's parameters in no other way.
 * @module
 */
import {
  type AssignmentProperty,
  type Expression,
  type Function as FunctionNode,
  parseExpressionAt,
  type Pattern,
} from "acorn";
import { ModTsError } from "../errors.ts";

/** One parameter, in the order declared. */
export type Parameter =
  /** By its name; `optional`: it has a default. */
  | { readonly kind: "one"; readonly name: string; readonly optional: boolean }
  /** `{ a, b = 1, ...rest }`: an object with these fields; `rest`: and all others. */
  | { readonly kind: "object"; readonly fields: readonly Field[]; readonly rest: boolean }
  /** `...rest`: everything else, as pairs of name and value. */
  | { readonly kind: "rest" };

export interface Field {
  readonly name: string;
  readonly optional: boolean;
}

/** What is known of a function. */
export class Signature {
  /** Why it is not published; undefined: it is. */
  readonly refusal: string | undefined;
  readonly #call: object;
  #parameters: readonly Parameter[] | undefined;

  constructor(call: object) {
    this.#call = call;
    this.refusal = refusalOf(textOf(call));
  }

  /** Its parameters, read from its text at the first call. Throws `MODTS_BAD_PARAMETERS`, which names the function by its label. */
  parameters(named: { readonly label: string }): readonly Parameter[] {
    return (this.#parameters ??= read(textOf(this.#call), named));
  }
}

function read(text: string, named: { readonly label: string }): readonly Parameter[] {
  try {
    return parse(text).params.map(toParameter);
  } catch (error) {
    const reason = (error as Error).message;
    throw new ModTsError("MODTS_BAD_PARAMETERS", { name: named.label, reason });
  }
}

const known = new WeakMap<object, Signature>();

/** The signature of a function. */
export function signatureOf(call: object): Signature {
  let signature = known.get(call);
  if (!signature) {
    signature = new Signature(call);
    known.set(call, signature);
  }
  return signature;
}

function textOf(call: object): string {
  return Function.prototype.toString.call(call);
}

/** Of a built-in or bound function, or a Proxy, there are no names to read. */
function refusalOf(text: string): string | undefined {
  if (/^class\b/.test(text)) return "a class";
  return /\{\s*\[native code\]\s*\}$/.test(text) ? "a built-in or bound function" : undefined;
}

/** Whether any parameter is filled from query and form. */
export function takesFields(parameters: readonly Parameter[]): boolean {
  return parameters.some(isField);
}

function isField(parameter: Parameter): boolean {
  return parameter.kind !== "one" || parameter.name !== "req";
}

/** A function is an expression; a method is one only inside of an object, or of a class for what classes alone may say. */
function parse(text: string): FunctionNode {
  for (const [before, after] of wrappings) {
    const found = tryParse(before + text + after);
    if (found) return found;
  }
  throw new TypeError("its text cannot be read");
}

const wrappings = [
  ["(", ")"],
  ["({", "})"],
  ["(class extends Object {", "})"],
] as const;

function tryParse(text: string): FunctionNode | undefined {
  try {
    return functionIn(parseExpressionAt(text, 0, options));
  } catch {
    return undefined;
  }
}

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
