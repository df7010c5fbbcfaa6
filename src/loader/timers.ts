/** Timers that the top level of a module starts: a version that was replaced must not go on. */
import { AsyncLocalStorage, createHook } from "node:async_hooks";
import { pathToFileURL } from "node:url";
import { attempt } from "../base/attempt.ts";
import type { SourcePosition } from "./build-error.ts";
import { userPosition } from "./stack.ts";

/** An interval of a version. Held weakly: Node keeps it while it runs. */
interface StartedInterval {
  readonly place: SourcePosition;
  readonly timer: WeakRef<object>;
}

/** A file that was replaced, and whose timers may go on being renewed. */
interface ReplacedFile {
  readonly first: SourcePosition;
  readonly report: (place: SourcePosition) => void;
  readonly endWatch: () => void;
  renewals: number;
}

/** One timer may be the last of a series that ends; a second one is a series that goes on. */
const renewalsToReport = 2;

/** Milliseconds; the hook slows every promise down a little. */
const longestWatchMs = 3_600_000;

/**
 * Timers of the build whose top level runs: those of requests at the same time have none. All that a
 * top level opens keeps this object alive, so it holds nothing of the build.
 */
export class StartedTimers {
  readonly #intervals: StartedInterval[] = [];
  /** The first timer of each file that fires once: its callback may start the next one. */
  readonly #single = new Map<string, SourcePosition>();
  readonly #replaced = new Map<string, ReplacedFile>();

  /** Files with timers. */
  get files(): Set<string> {
    return new Set([...this.#intervals.map(({ place }) => place.file), ...this.#single.keys()]);
  }

  /** Places of the intervals of a file that have not been cleared. */
  runningIntervals(file: string): SourcePosition[] {
    return this.#intervals
      .filter(({ place, timer }) => place.file === file && isRunning(timer.deref()))
      .map(({ place }) => place);
  }

  /** Calls `report` at most once, if a timer of a replaced file is renewed again and again. */
  watchRenewals(file: string, report: ReplacedFile["report"]): void {
    const first = this.#single.get(file);
    if (!first) return;
    const endWatch = watch();
    this.#replaced.set(file, { first, report, endWatch, renewals: 0 });
    // Nothing that the version has left can start a timer any more.
    collected.register(this, endWatch);
    lists.run(undefined, () => setTimeout(endWatch, longestWatchMs).unref());
  }

  add(timer: object): void {
    const { stack, place } = whereStarted();
    if (!isRepeated(timer)) return this.#addSingle(place, stack);
    if (place) this.#intervals.push({ place, timer: new WeakRef(timer) });
  }

  #addSingle(place: SourcePosition | undefined, stack: string): void {
    if (this.#replaced.size > 0) return this.#countRenewal(place, stack);
    if (place && !this.#single.has(place.file)) this.#single.set(place.file, place);
  }

  #countRenewal(place: SourcePosition | undefined, stack: string): void {
    const replaced = this.#replaced.get(place?.file ?? this.#fileOf(stack) ?? "");
    if (!replaced || (replaced.renewals += 1) !== renewalsToReport) return;
    replaced.endWatch();
    queueMicrotask(() => replaced.report(place ?? replaced.first));
  }

  /** For places that are no longer known, and packages that renew the timer by themselves. */
  #fileOf(stack: string): string | undefined {
    const files = [...this.#single.keys()];
    const named = files.find((file) => stack.includes(`${pathToFileURL(file).href}?v=`));
    if (named) return named;
    const isLeft = files.every((file) => this.#replaced.has(file));
    return isLeft && stack.includes("/node_modules/") ? files[0] : undefined;
  }
}

const lists = new AsyncLocalStorage<StartedTimers | undefined>();
const collected = new FinalizationRegistry<() => void>((endWatch) => endWatch());

const ownSources = new URL("..", import.meta.url).href;

let watches = 0;

const hook = createHook({
  init(_id, type, _trigger, timer) {
    // Where a library has broken `error.stack`, its timers start nevertheless.
    if (type === "Timeout") attempt(() => lists.getStore()?.add(timer), undefined);
  },
});

/** Runs top levels, and adds the timers that they start. The hook costs nothing between. */
export async function watchTimers(started: StartedTimers, run: () => Promise<void>): Promise<void> {
  const endWatch = watch();
  try {
    await lists.run(started, run);
  } finally {
    endWatch();
  }
}

function watch(): () => void {
  watches += 1;
  hook.enable();
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    watches -= 1;
    if (watches === 0) hook.disable();
  };
}

/** The stack is without frames of mod_ts, a package itself. */
function whereStarted(): { place: SourcePosition | undefined; stack: string } {
  const error = deepError();
  const place = userPosition(error);
  const lines = String(error.stack).split("\n");
  return { place, stack: lines.filter((line) => !line.includes(ownSources)).join("\n") };
}

/** A library may call a timer from deep within. */
function deepError(): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 50;
  const error = new Error("started");
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

function isRunning(timer: object | undefined): boolean {
  return timer !== undefined && Reflect.get(timer, "_destroyed") === false;
}

/** Node tells intervals from other timers by this member only. */
function isRepeated(timer: object): boolean {
  return typeof Reflect.get(timer, "_repeat") === "number";
}
