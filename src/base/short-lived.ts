/**
 * Objects that are there for a moment, such as running requests. A `Set` makes a new table after
 * some changes, and V8 links the old one to it: a table in the old generation keeps all later ones,
 * and whatever was in them, until a full collection. Each request would then survive its end.
 */
export interface Place<T> {
  readonly value: T;
  at: number;
}

export class ShortLived<T> {
  readonly #places: Place<T>[] = [];

  get size(): number {
    return this.#places.length;
  }

  /** Returns what {@link delete} takes. */
  add(value: T): Place<T> {
    const place = { value, at: this.#places.length };
    this.#places.push(place);
    return place;
  }

  /** False if it was removed before. The order of the others may change. */
  delete(place: Place<T>): boolean {
    if (this.#places[place.at] !== place) return false;
    const last = this.#places.pop() as Place<T>;
    if (last === place) return true;
    this.#places[place.at] = last;
    last.at = place.at;
    return true;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const { value } of this.#places) yield value;
  }
}
