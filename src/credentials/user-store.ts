/**
 * Where users and the hashes of their passwords are kept.
 * @module
 */

/** A store of users. */
export interface UserStore {
  /** Tells this store from others, whatever they hold: its kind and the options that it is made of. */
  readonly name: string;
  /**
   * The hash of a user's password; undefined when there is no such user. The name must be the stored one to the letter.
   * Rejects with a `ModTsError` when the store cannot say.
   */
  find(user: string): Promise<string | undefined>;
  /** A hash of the kind that most users have. To compare with it takes as long as for a user that exists. */
  decoy(): string;
  /** Whether hashes of this form count. */
  accepts(hash: string): boolean;
  /** Puts a new hash in the place of `old`, unless that has changed meanwhile. Missing where hashes are never renewed. */
  replace?(user: string, old: string, hash: string): Promise<void>;
  /** Ends connections. */
  close(): Promise<void>;
}
