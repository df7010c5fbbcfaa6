/**
 * What the store asks of a database, whichever it is.
 * @module
 */

/** Milliseconds to connect and to answer; Apache waits for the decision, and so does a person. */
export const databaseTimeout = 2000;

/** Connections of one process to one database. */
export const databaseConnections = 4;

/** A server to connect to. */
export interface ServerOptions {
  /** URL for the driver. */
  readonly source: string;
  /** For messages: the source without the password. */
  readonly title: string;
  /** Questions that may wait for a connection; further ones fail. MySQL alone. */
  readonly queueLimit?: number;
}

/** Each method rejects with whatever the driver says, within {@link databaseTimeout} or little more. */
export interface SqlDatabase {
  /** Rows as objects by column. `?` in the statement stands for the parameters in turn. */
  select(
    statement: string,
    parameters: readonly string[],
  ): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Runs a statement that changes rows. Gives how many it found to change. */
  change(statement: string, parameters: readonly string[]): Promise<number>;
  close(): Promise<void>;
}

/** Rejects when `work` takes longer than {@link databaseTimeout}; `onTimeout` then ends what is under way. */
export async function withinTimeout<T>(work: Promise<T>, onTimeout: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      onTimeout();
      reject(new Error(`no answer within ${databaseTimeout} ms`));
    }, databaseTimeout);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** What a driver says, in words. A refused connection comes as an AggregateError without a message of its own, one error for each address. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || String(error);
}
