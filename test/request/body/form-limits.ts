import t from "tap";
import { changeLimits, formLimits } from "../../../src/request/body/form-limits.ts";

t.test("defaults, and what the configuration sets", async (t) => {
  t.strictSame(formLimits({}), {
    fields: 1000,
    nameBytes: 1024,
    fieldBytes: 1024 ** 2,
    memoryBytes: 8 * 1024 ** 2,
    files: 20,
    fileBytes: 100 * 1024 ** 2,
    requireLength: false,
  });
  t.match(formLimits({ "mod_ts.form.files": "0", "mod_ts.form.require_length": "on" }), {
    files: 0,
    requireLength: true,
  });
});

t.test("a mistake is told by its name", async (t) => {
  for (const [key, value] of [
    ["files", "many"],
    ["file_byte", "1"],
    ["require_length", "yes"],
  ] as const) {
    const name = `mod_ts.form.${key}`;
    t.throws(() => formLimits({ [name]: value }), { code: "MODTS_BAD_OPTION", message: name });
  }
});

t.test("a call changes some; none is lifted by accident", async (t) => {
  const limits = formLimits({});
  t.strictSame(changeLimits(limits, { files: 1, requireLength: true }), {
    ...limits,
    files: 1,
    requireLength: true,
  });
  const absent = { fields: undefined } as unknown as { fields: number };
  t.strictSame(changeLimits(limits, absent), limits);
  t.equal(changeLimits(limits, { fileBytes: Infinity }).fileBytes, Infinity);
  const mistakes: object[] = [
    { file: 1 },
    { files: "1" },
    { files: -1 },
    { files: NaN },
    { toString: 1 },
  ];
  for (const mistake of [...mistakes, { files: null }, { requireLength: 1 }]) {
    const change = (): unknown => changeLimits(limits, mistake);
    t.throws(change, { code: "MODTS_BAD_ARGUMENT", message: Object.keys(mistake)[0] });
  }
});
