/**
 * Columns of a script that was made of another language line by line, where they are not those of the source.
 * @module
 */

/**
 * In a line (from 1), from a column of the script on, the text is that of the source from another column on (both from 0). In order
 * of line and column. Before the first entry of a line, columns are equal.
 */
export type Columns = readonly (readonly [line: number, script: number, source: number])[];

/** The column of the source, counted from 1, for one of the script; lines are the same. */
export function sourceColumn(columns: Columns, line: number, column: number): number {
  let low = 0;
  let high = columns.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const [otherLine, script] = columns[middle] as Columns[number];
    if (otherLine < line || (otherLine === line && script < column)) low = middle + 1;
    else high = middle;
  }
  const entry = columns[low - 1];
  if (entry?.[0] !== line) return column;
  return column - entry[1] + entry[2];
}
