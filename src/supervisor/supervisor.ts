/**
 * Parent process: owns the listening sockets, spawns and replaces workers, handles signals.
 *
 * It loads no Fastify, no compiler and no user code: only a bug in this directory can end it. While
 * a worker is replaced, new connections wait in the queue of the pool.
 */
import type { Socket } from "node:net";
import { isModTsError, ModTsError, report } from "../base/errors.ts";
import {
  type FailedOutcome,
  failedOutcome,
  type ReloadOutcome,
  type UpgradeOutcome,
} from "./control.ts";
import { openControl } from "./control-server.ts";
import {
  readPredecessor,
  reportServing,
  reportStarting,
  spawnSuccessor,
  takeFiles,
  takeSocket,
  untilServing,
  whyIrreplaceable,
} from "./handover.ts";
import {
  defaults,
  inspectOf,
  type Supervisor,
  type SupervisorOptions,
  type SupervisorSettings,
  workerProgram,
} from "./supervisor-options.ts";
import { extendStart, monotonicTime, notifySystemd, startSystemdWatchdog } from "./notify.ts";
import {
  clearMarkers,
  formatAddress,
  openListener,
  requireTrust,
  type Listener,
  type ListenerOptions,
} from "./listener.ts";
import { log } from "../base/log.ts";
import { revokeTickets } from "../base/ticket-store.ts";
import { Observations } from "./observations.ts";
import { type DrainOptions, type GenerationOptions, Pool } from "./pool.ts";
import { obeySignals } from "./signals.ts";
import { composeStatus, type ReloadNote, type SidecarStatus } from "./status.ts";
import type { WorkerReport } from "./report.ts";
import type { WorkerProcess } from "./worker-process.ts";
import {
  claimRunDirectory,
  prepareStores,
  removeStores,
  type RunDirectory,
} from "./run-directory.ts";

export type { Supervisor, SupervisorOptions, SupervisorSettings } from "./supervisor-options.ts";
export type { WorkerLimits } from "./worker-limits.ts";
export type { FromWorker, InitMessage, ToWorker } from "./worker-process.ts";

/** Creates a supervisor; nothing happens before `start` or `run`. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  return new SupervisorProcess(options);
}

const stopping = "the sidecar is stopping";

/** Time for idle connections where the sockets outlive this process, in milliseconds. */
const givenLingerMs = 1000;

class SupervisorProcess implements Supervisor {
  readonly #options: SupervisorOptions & typeof defaults;
  readonly #pools = new Map<string, Pool>();
  readonly #starting = new Set<WorkerProcess>();
  readonly #stopped = Promise.withResolvers<void>();
  #settings: SupervisorSettings;
  #runDirectory: RunDirectory | undefined;
  #listeners: Listener[] = [];
  #control: Listener | undefined;
  readonly #observations = new Observations();
  readonly #startedAt = Date.now();
  #lastOutcome: ReloadNote | null = null;
  #generation = 1;
  #stopping = false;
  readonly #predecessor = readPredecessor();
  #hasTakenOver = false;
  #isUpgrading = false;
  #stopWatchdog = (): void => {};
  /** Reload that has not read the configuration yet. */
  #nextReload: Promise<ReloadOutcome> | undefined;
  /** Last reload that began, finished or not. */
  #lastReload: Promise<unknown> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = { ...defaults, ...options } as SupervisorOptions & typeof defaults;
    this.#settings = options;
    for (const name of Object.keys(options.pools)) this.#pools.set(name, this.#newPool(name));
  }

  get ready(): Promise<void> {
    return Promise.all([...this.#pools.values()].map((pool) => pool.ready)).then(() => {});
  }

  get listeners(): readonly Listener[] {
    return this.#listeners;
  }

  pids(pool: string): number[] {
    return this.#pools.get(pool)?.pids ?? [];
  }

  status(): SidecarStatus {
    return composeStatus({
      pools: [...this.#pools.values()].map((pool) => pool.status),
      observations: this.#observations,
      listeners: this.#listeners,
      generation: this.#generation,
      lastReload: this.#lastOutcome,
      startedAt: this.#startedAt,
    });
  }

  async start(): Promise<void> {
    requireTrust(this.#settings.secured ?? false, this.#options.listeners);
    this.#runDirectory = claimRunDirectory(this.#options.run, this.#predecessor?.pid);
    try {
      if (!this.#predecessor) prepareStores(this.#options.run, this.#options.group);
      await this.#openAll(this.#firstListeners());
      if (!this.#predecessor) await this.#openControl();
    } catch (error) {
      this.#release();
      throw error;
    }
    if (this.#stopping) return;
    if (this.#predecessor) process.once("disconnect", () => this.#losePredecessor());
    for (const [name, pool] of this.#pools) pool.start(this.#generationOptions(name));
    this.#observations.watch();
    this.#runDirectory.watch(() => (this.#control ? [this.#control, ...this.#listeners] : []));
    this.#stopWatchdog = startSystemdWatchdog();
    if (!this.#predecessor && this.#options.listenAt === "ready") await this.#openLate();
    void this.ready.then(() => this.#announce());
    if (this.#predecessor) await this.#succeed();
  }

  /** Those that are open before the workers serve. */
  #firstListeners(): readonly ListenerOptions[] {
    const { listeners, listenAt } = this.#options;
    // A successor accepts when its workers serve: until then its predecessor does.
    if (this.#predecessor) return listeners.filter(({ shared }) => shared);
    clearMarkers(listeners);
    return listenAt === "ready" ? [] : listeners;
  }

  async #openLate(): Promise<void> {
    await Promise.race([this.ready, this.#stopped.promise]);
    if (this.#stopping) return;
    try {
      await this.#openAll(this.#options.listeners);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  #announce(): void {
    if (this.#stopping) return;
    log("notice", "ready");
    if (!this.#predecessor) void notifySystemd("READY=1");
  }

  async #succeed(): Promise<void> {
    try {
      const hopeless = [...this.#pools.values()].map(({ hopeless: failing }) => failing);
      const reason = await Promise.race([this.ready, this.#stopped.promise, ...hopeless]);
      // The predecessor serves well: this process gives up at once.
      if (reason !== undefined) throw new Error(`workers cannot start: ${reason}`);
      await this.#takeOver();
    } catch (error) {
      await this.stop();
      // The channel to the predecessor would keep this process alive.
      process.disconnect?.();
      throw error;
    }
  }

  /** The predecessor has ended, or has given this successor up. */
  #losePredecessor(): void {
    if (this.#hasTakenOver) revokeTickets(this.#options.run);
    else if (!this.#stopping) void this.stop();
  }

  async #takeOver(): Promise<void> {
    if (this.#stopping) return;
    await this.#openAll(this.#options.listeners.filter(({ shared }) => !shared));
    if (this.#stopping) return;
    this.#runDirectory?.takeOver();
    this.#hasTakenOver = true;
    takeFiles(this.#listeners, this.#predecessor?.sockets ?? []);
    revokeTickets(this.#options.run);
    await this.#openControl();
    await notifySystemd(`MAINPID=${process.pid}`, "READY=1");
    reportServing();
    log("notice", `took over from process ${this.#predecessor?.pid}`);
  }

  reload(): Promise<ReloadOutcome> {
    this.#nextReload ??= this.#reloadAfter(this.#lastReload);
    return this.#nextReload;
  }

  async drained(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.drained()));
  }

  async upgrade(): Promise<UpgradeOutcome> {
    if (this.#stopping) return this.#failed(stopping);
    if (this.#isUpgrading) return this.#failed("an upgrade is running");
    const main = whyIrreplaceable();
    if (main) return this.#refuse(new ModTsError("MODTS_UPGRADE_REFUSED", { reason: main }));
    this.#isUpgrading = true;
    log("notice", "starting the successor");
    const child = spawnSuccessor(this.#listeners);
    const reason = await untilServing(child);
    this.#isUpgrading = false;
    if (reason) return this.#refuse(new ModTsError("MODTS_UPGRADE_FAILED", { reason }));
    child.unref();
    void this.#leave();
    return { ok: true, pid: child.pid ?? 0 };
  }

  #refuse(error: ModTsError): UpgradeOutcome {
    report(error);
    return this.#failed(error);
  }

  /** The successor serves: no connection comes any more. */
  async #leave(): Promise<void> {
    this.#stopping = true;
    this.#stopWatchdog();
    log("notice", "the successor serves; finishing the open requests");
    // The answer of the control socket is sent first.
    await new Promise((resolve) => setImmediate(resolve));
    this.#release({ keepFile: true });
    await Promise.all([...this.#pools.values()].map((pool) => pool.handOver(this.#drainOptions)));
    this.#finish();
  }

  async stop(): Promise<void> {
    if (this.#stopping) return this.#kill();
    this.#stopping = true;
    this.#stopWatchdog();
    log("notice", "stopping");
    void notifySystemd("STOPPING=1");
    // The sockets outlive this process, so Apache goes on: it may be about to use a connection.
    const linger = this.#listeners.some(({ isGiven }) => isGiven) ? givenLingerMs : 0;
    const drain = { linger, deadline: this.#options.stopTimeout };
    this.#release();
    await Promise.all([...this.#pools.values()].map((pool) => pool.stop(drain)));
    this.#finish();
  }

  async run(): Promise<void> {
    // Before the start: a signal during it must not leave a pid file and sockets behind.
    const ignore = obeySignals({
      reload: () => void this.reload(),
      upgrade: () => void this.upgrade(),
      stop: () => void this.stop(),
      reopenLogs: () => this.#reopenLogs(),
    });
    try {
      await this.start();
      await this.#stopped.promise;
    } finally {
      ignore();
    }
  }

  #reopenLogs(): void {
    this.#options.reopenLog?.();
    for (const pool of this.#pools.values()) pool.reopenLogs();
  }

  async #reloadAfter(before: Promise<unknown>): Promise<ReloadOutcome> {
    await before;
    // Signals that arrive in the same turn of the event loop are one reload.
    await new Promise((resolve) => setImmediate(resolve));
    this.#lastReload = this.#nextReload!;
    this.#nextReload = undefined;
    void notifySystemd("RELOADING=1", monotonicTime());
    const outcome = this.#stopping ? this.#failed(stopping) : await this.#replaceAll();
    if (!this.#stopping) void notifySystemd("READY=1");
    const at = Date.now();
    this.#lastOutcome = outcome.ok ? { at, ok: true } : { at, ok: false, message: outcome.message };
    return outcome;
  }

  async #replaceAll(): Promise<ReloadOutcome> {
    try {
      const settings = await (this.#options.reread?.() ?? this.#settings);
      // Attack: an edit that removes the secret leaves a network port open without protection.
      requireTrust(settings.secured ?? false, this.#options.listeners);
      this.#settings = settings;
    } catch (error) {
      const details = { error, ...(isModTsError(error) && { code: error.code }) };
      log("error", "not reloaded, the old configuration stays", details);
      return this.#failed(error);
    }
    revokeTickets(this.#options.run);
    this.#generation += 1;
    const failures: ModTsError[] = [];
    // One after the other: at most one pool needs twice its memory.
    for (const [name, pool] of this.#pools) {
      if (this.#stopping) return this.#failed(stopping);
      const failure = await pool.replace(this.#generationOptions(name), this.#drainOptions);
      if (failure) failures.push(failure);
    }
    revokeTickets(this.#options.run);
    if (failures.length > 0) return this.#failed(failures[0]);
    const { restart = [] } = this.#settings;
    log("notice", `reloaded, generation ${this.#generation}`);
    const settings = restart.join(", ");
    if (settings !== "") report(new ModTsError("MODTS_RESTART_NEEDED", { settings }));
    const broken = [...this.#pools.values()].flatMap((pool) => pool.broken);
    return { ok: true, generation: this.#generation, restart, broken };
  }

  #failed(reason: unknown): FailedOutcome {
    return failedOutcome(this.#options.run, reason);
  }

  #generationOptions(name: string): GenerationOptions {
    const { pools, config } = this.#settings;
    const { workers = 1, ...limits } = pools[name] ?? {};
    return { generation: this.#generation, workers, config, limits, drain: this.#drainOptions };
  }

  get #drainOptions(): DrainOptions {
    const { linger = defaults.linger, drainTimeout = defaults.drainTimeout } = this.#settings;
    return { linger, deadline: drainTimeout };
  }

  #newPool(name: string): Pool {
    const { run, backlog, readyTimeout, backoff, program = workerProgram() } = this.#options;
    const shared = (): Listener[] => this.#listeners.filter(({ pool }) => pool === name);
    const observe = (pid: number, observed: WorkerReport | undefined): void =>
      observed ? this.#observations.add(name, pid, observed) : this.#observations.forget(pid);
    const onDeath = (): void => revokeTickets(run);
    const onStart = this.#predecessor ? reportStarting : extendStart(readyTimeout);
    const own = { name, run, program, backlog, backoff, readyTimeout, starting: this.#starting };
    const inspect = inspectOf(this.#options, name);
    return new Pool({ ...own, observe, onDeath, onStart, shared, inspect });
  }

  async #openAll(listeners: readonly ListenerOptions[]): Promise<void> {
    for (const options of listeners) await this.#open(options);
  }

  async #open(options: ListenerOptions): Promise<void> {
    const pool = this.#pools.get(options.pool);
    if (!pool) throw new Error(`listener for unknown pool ${options.pool}`);
    const passed = takeSocket(this.#predecessor?.sockets ?? [], options.address);
    const accept = (socket: Socket): void => pool.accept(options.transport, socket);
    const listener = await openListener(options, this.#options.group, accept, passed);
    // A signal may have arrived meanwhile.
    if (this.#stopping) return listener.close();
    this.#listeners.push(listener);
    if (!this.#predecessor) listener.mark();
    pool.share(listener);
    log("notice", `${options.pool}: listening on ${formatAddress(listener.address)}`);
  }

  async #openControl(): Promise<void> {
    const replaces = this.#predecessor !== undefined;
    const control = await openControl({ ...this.#options, replaces }, this);
    if (this.#stopping) control?.close();
    else this.#control = control;
  }

  #release({ keepFile } = { keepFile: false }): void {
    this.#control = void this.#control?.close();
    const isOwner = this.#runDirectory && (!this.#predecessor || this.#hasTakenOver);
    // Where a successor gives up, its predecessor goes on with what it passed.
    for (const each of this.#listeners.splice(0))
      each.close({ keepFile: keepFile || (!isOwner && each.isGiven) });
    if (isOwner && !keepFile) removeStores(this.#options.run);
    this.#runDirectory?.release();
  }

  async #kill(): Promise<void> {
    await Promise.all(Array.from(this.#pools.values(), (pool) => pool.kill()));
    this.#finish();
  }

  #finish(): void {
    this.#observations.close();
    this.#stopped.resolve();
  }
}
