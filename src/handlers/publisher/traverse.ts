/**
 * Traversal from a module to the value that the names of a URL reach.
 *
 * Attack: a name reaches something never meant to be published: `constructor` → `Function`,
 * `__proto__` → a prototype, an imported `exec` → a shell, a connection pool → its password. So
 * nothing inherited or imported is reached, no getter runs, and only plain objects are entered.
 */
import { types } from "node:util";
import type { HeldModule } from "../../request/internals.ts";
import { guardNames, isPrivate, isPrivateExport } from "./private.ts";

export interface Target {
  readonly module: HeldModule;
  readonly names: readonly string[];
  readonly value: unknown;
  /** Object whose method the value is; undefined for an export. */
  readonly owner: object | undefined;
  /** Module, objects and function on the path with a guard or a realm, from the outside in. */
  readonly guarded: readonly object[];
  /** For messages: file and names, as in a URL. */
  readonly label: string;
}

/** Why the names lead nowhere; reported only after the guards before that place have passed. */
export interface DeadEnd {
  readonly status: 403 | 404;
  /** Logged; clients see it only with `TsDebug On`. */
  readonly reason: string;
  readonly guarded: readonly object[];
}

/** Follows the names from a module inwards; calls nothing. */
export function traverse(module: HeldModule, names: readonly string[]): Target | DeadEnd {
  const guarded: object[] = [];
  const pass = (holder: unknown): void => {
    if (isGuarded(holder)) guarded.push(holder);
  };
  const deadEnd = ({ status, reason }: Refusal): DeadEnd => {
    return { status, reason: `${reason} in ${module.file}`, guarded };
  };
  pass(module.exports);
  const [first = "", ...rest] = names;
  if (isPrivateExport(first)) return deadEnd(forbidden(first, "private"));
  if (!module.declared?.has(first)) return deadEnd(unknown(first));
  let value = module.exports[first];
  let owner: object | undefined;
  for (const name of rest) {
    const step = enter(value, name);
    pass(value);
    if ("status" in step) return deadEnd(step);
    owner = value as object;
    value = step.value;
  }
  pass(value);
  return { module, names, value, owner, guarded, label: `${module.file}/${names.join("/")}` };
}

type Refusal = Omit<DeadEnd, "guarded">;

/** Inherited guards count, too: a class may have a method `auth` for all its instances. */
function isGuarded(value: unknown): value is object {
  return isObject(value) && !types.isProxy(value) && guardNames.some((name) => name in value);
}

function enter(holder: unknown, name: string): Refusal | { readonly value: unknown } {
  if (isPrivate(name)) return forbidden(name, "private");
  if (name === "") return unknown(name);
  const refusal = refuseHolder(holder, name);
  if (refusal) return refusal;
  const property = Object.getOwnPropertyDescriptor(holder, name);
  if (!property?.enumerable) return unknown(name);
  return "value" in property ? { value: property.value } : forbidden(name, "a getter");
}

/** Primitives have nothing below them (404); other values that are not entered have (403). */
function refuseHolder(holder: unknown, name: string): Refusal | undefined {
  if (!isObject(holder)) return unknown(name);
  if (typeof holder === "function") return forbidden(name, "below a function");
  return isTraversable(holder) ? undefined : forbidden(name, `below ${describe(holder)}`);
}

/**
 * Arrays, objects without prototype, and those whose string tag is `Object`, which no built-in
 * class has. Attack: connections, pools, servers and streams hold passwords and handles: they are
 * recognized by their events.
 */
function isTraversable(value: object): boolean {
  if (types.isProxy(value)) return false;
  if (Array.isArray(value)) return true;
  if (Object.prototype.toString.call(value) !== "[object Object]") return false;
  return !("emit" in value) || Object.hasOwn(value, "emit");
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

export function describe(value: unknown): string {
  return types.isProxy(value) ? "a Proxy" : Object.prototype.toString.call(value);
}

function forbidden(name: string, what: string): Refusal {
  return { status: 403, reason: `${JSON.stringify(name)} is ${what}` };
}

function unknown(name: string): Refusal {
  return { status: 404, reason: `there is no ${JSON.stringify(name)}` };
}
