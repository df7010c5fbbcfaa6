/** Pools of a configuration: the number of their workers, and limits of a worker. */

/** Limits after which a worker is replaced, without failing a request. */
export interface WorkerLimits {
  /**
   * Resident memory of a worker; at twice the limit it is killed. 0: none.
   * @default 1 GiB
   */
  memoryBytes?: number;
  /** Used JavaScript heap of a worker. 0: none. @default 0 */
  heapBytes?: number;
  /** Requests that a worker serves. 0: no limit. @default 0 */
  requests?: number;
  /** Milliseconds that a worker lives. 0: no limit. @default 0 */
  age?: number;
}

export interface PoolConfig extends WorkerLimits {
  /** Worker processes. */
  workers: number;
}

const defaults: Required<WorkerLimits> = {
  memoryBytes: 1024 ** 3,
  heapBytes: 0,
  requests: 0,
  age: 0,
};

/** Adds the defaults. */
export function resolvePools(
  pools: Record<string, PoolConfig>,
): Record<string, Required<PoolConfig>> {
  const resolvePool = (pool: PoolConfig): Required<PoolConfig> => {
    const { workers, memoryBytes, heapBytes, requests, age } = pool;
    return { ...defaults, ...defined({ memoryBytes, heapBytes, requests, age }), workers };
  };
  return Object.fromEntries(Object.entries(pools).map(([name, pool]) => [name, resolvePool(pool)]));
}

/** Undefined members would hide defaults. */
export function defined<T extends object>(value: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(value ?? {}).filter(([, member]) => member !== undefined),
  ) as Partial<T>;
}

/** Workers of the pool that decides about access; 0: main decides. */
export function guardWorkers(
  { authorizer, development }: { authorizer?: { workers?: number }; development?: boolean },
  main: number,
): number {
  if (!authorizer) return 0;
  return authorizer.workers ?? (development ? 0 : Math.min(2, main));
}

export function countWorkers({ pools }: { pools: Readonly<Record<string, PoolConfig>> }): number {
  return Object.values(pools).reduce((sum, { workers }) => sum + workers, 0);
}
