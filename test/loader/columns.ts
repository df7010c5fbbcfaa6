import t from "tap";
import { type Columns, sourceColumn } from "../../src/loader/columns.ts";

const columns: Columns = [
  [1, 40, 3],
  [3, 0, 0],
  [3, 10, 4],
  [3, 30, 20],
  [5, 2, 8],
];

t.test("a column goes back by the last piece before it", async (t) => {
  t.equal(sourceColumn(columns, 1, 41), 4, "the first character of a piece");
  t.equal(sourceColumn(columns, 1, 45), 8);
  t.equal(sourceColumn(columns, 3, 5), 5);
  t.equal(sourceColumn(columns, 3, 11), 5);
  t.equal(sourceColumn(columns, 3, 31), 21);
  t.equal(sourceColumn(columns, 5, 3), 9);
});

t.test("where nothing was moved it stays", async (t) => {
  for (const [line, column] of [
    [1, 40],
    [2, 7],
    [4, 1],
    [5, 2],
    [9, 9],
    [0, 0],
  ] as const) {
    t.equal(sourceColumn(columns, line, column), column, `${line}:${column}`);
  }
  t.equal(sourceColumn([], 3, 4), 4);
});
