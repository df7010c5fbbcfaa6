/**
 * From the names in a URL to what a module publishes under them.
 *
 * Attack: a name leads to something the author never meant to publish: `constructor` to `Function`, `__proto__` to a prototype, an
 * imported `exec` to a shell, a pool of connections to its password. So nothing inherited is reached and nothing imported, no
 * getter runs, and only objects that an author wrote as such are entered.
 * @module
 */
import { types } from "node:util";
import type { HeldModule } from "../request/internals.ts";
import { guardNames, isPrivate, isPrivateExport } from "./names.ts";

/** Where the names led. */
export class Target {
  readonly module: HeldModule;
  readonly names: readonly string[];
  readonly value: unknown;
  /** What the value is a method of; undefined for an export. */
  readonly owner: object | undefined;
  /** Module, objects and function on the way that have a guard or a realm, from the outside in. */
  readonly guarded: readonly object[];

  constructor(
    module: HeldModule,
    names: readonly string[],
    found: Pick<Target, "value" | "owner" | "guarded">,
  ) {
    this.module = module;
    this.names = names;
    this.value = found.value;
    this.owner = found.owner;
    this.guarded = found.guarded;
  }

  /** For messages: file and names, as in a URL. */
  get label(): string {
    return [this.module.file, ...this.names].join("/");
  }
}

/** Why the names lead nowhere: to be told when the guards before that place have let the request pass. */
export interface DeadEnd {
  readonly status: 403 | 404;
  /** For the log; the client learns it only with `TsDebug On`. */
  readonly reason: string;
  readonly guarded: readonly object[];
}

/** Follows the names from a module inwards; calls nothing. */
export function traverse(module: HeldModule, names: readonly string[]): Target | DeadEnd {
  const way = new Way(module);
  const [first = "", ...rest] = names;
  if (isPrivateExport(first)) return way.end(forbidden(first, "private"));
  if (!module.declared?.has(first)) return way.end(unknown(first));
  let value = module.exports[first];
  let owner: object | undefined;
  for (const name of rest) {
    const step = enter(value, name);
    way.pass(value);
    if ("status" in step) return way.end(step);
    owner = value as object;
    value = step.value;
  }
  way.pass(value);
  return new Target(module, names, { value, owner, guarded: way.guarded });
}

type Refusal = Omit<DeadEnd, "guarded">;

/** Collects who has a say. */
class Way {
  guarded: readonly object[] = none;
  readonly #file: string;

  constructor({ file, exports }: HeldModule) {
    this.#file = file;
    this.pass(exports);
  }

  /** Inherited guards count, too: a class may have a method `auth` for all its instances. */
  pass(value: unknown): void {
    if (!isObject(value) || types.isProxy(value)) return;
    if (guardNames.some((name) => name in value)) this.guarded = [...this.guarded, value];
  }

  end({ status, reason }: Refusal): DeadEnd {
    return { status, reason: `${reason} in ${this.#file}`, guarded: this.guarded };
  }
}

const none: readonly object[] = [];

function enter(holder: unknown, name: string): Refusal | { readonly value: unknown } {
  if (isPrivate(name)) return forbidden(name, "private");
  if (name === "") return unknown(name);
  const refusal = refuseHolder(holder, name);
  if (refusal) return refusal;
  const property = Object.getOwnPropertyDescriptor(holder, name);
  if (!property?.enumerable) return unknown(name);
  return "value" in property ? { value: property.value } : forbidden(name, "a getter");
}

/** Text and numbers have nothing below them; all other things that are not entered have, but it is not for everybody. */
function refuseHolder(holder: unknown, name: string): Refusal | undefined {
  if (!isObject(holder)) return unknown(name);
  if (typeof holder === "function") return forbidden(name, "below a function");
  return isTraversable(holder) ? undefined : forbidden(name, `below ${describe(holder)}`);
}

/**
 * Arrays, objects without a prototype, and what says of itself that it is an `Object`, which no built-in class does. Connections,
 * pools, servers and streams hold passwords and handles in plain view: they are told by their events.
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

/** Names the kind of a value that is not entered, or not published. */
export function describe(value: unknown): string {
  return types.isProxy(value) ? "a Proxy" : Object.prototype.toString.call(value);
}

function forbidden(name: string, what: string): Refusal {
  return { status: 403, reason: `${JSON.stringify(name)} is ${what}` };
}

function unknown(name: string): Refusal {
  return { status: 404, reason: `there is no ${JSON.stringify(name)}` };
}
