import t from "tap";
import { mediaTypes } from "../../src/httpd/media-types.ts";

t.test("each line is a type and its endings, and no ending has two types", async (t) => {
  const endings = mediaTypes
    .trimEnd()
    .split("\n")
    .flatMap((line) => {
      t.match(line, /^[a-z]+\/[\w.+-]+( \w+)+$/);
      return line.split(" ").slice(1);
    });
  t.equal(new Set(endings).size, endings.length);
  t.match(
    mediaTypes,
    /^video\/mp2t ts\b/m,
    "as on a stock httpd, where sources would be served as video",
  );
});
