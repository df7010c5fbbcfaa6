/** Limits after which a worker is replaced by a fresh one, without failing a request. */
import { readFrom } from "../base/vitals.ts";

/** 0 or undefined: no limit. */
export interface WorkerLimits {
  /** Resident memory (RSS). At twice the limit the worker is killed. */
  memoryBytes?: number;
  /** Used JavaScript heap. */
  heapBytes?: number;
  /** Requests served. */
  requests?: number;
  /** Milliseconds since the worker was ready. */
  age?: number;
  /** Handlers that still run after the 504 of their request. */
  overdueHandlers?: number;
}

/** What a worker reports once a second. */
export interface WorkerUsage {
  /** Bytes. */
  rss: number;
  vitals: readonly number[];
  /** Milliseconds since `ready`. */
  age: number;
}

const mebibyte = 1024 ** 2;

/** Why a worker has to be replaced, in words; undefined if it has not. */
export function exceededLimit(limits: WorkerLimits, usage: WorkerUsage): string | undefined {
  const { memoryBytes, heapBytes, requests, age, overdueHandlers } = limits;
  const { rss, vitals } = usage;
  const heap = readFrom(vitals, "heap") * 1024;
  const served = readFrom(vitals, "requests");
  const overdue = readFrom(vitals, "overdue");
  if (exceeds(rss, memoryBytes)) return `memory of ${inMiB(rss)}, limit ${inMiB(memoryBytes)}`;
  if (exceeds(heap, heapBytes)) return `heap of ${inMiB(heap)}, limit ${inMiB(heapBytes)}`;
  if (exceeds(served, requests)) return `${served} requests, limit ${requests}`;
  if (exceeds(usage.age, age)) return `age of ${Math.round(usage.age / 1000)} s, limit ${age} ms`;
  if (exceeds(overdue, overdueHandlers)) return `${overdue} handlers that run after their 504`;
  return undefined;
}

/** Whether memory grows too fast for a graceful replacement. */
export function isRunaway({ memoryBytes = 0 }: WorkerLimits, { rss }: WorkerUsage): boolean {
  return memoryBytes > 0 && rss > 2 * memoryBytes;
}

function exceeds(value: number, limit: number | undefined): limit is number {
  return limit !== undefined && limit > 0 && value >= limit;
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / mebibyte)} MiB`;
}
