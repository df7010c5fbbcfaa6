import t from "tap";
import { guessMacro } from "../../src/httpd/macro-guess.ts";

t.test("an unknown macro comes with the one that was meant", (t) => {
  const words = "AH00526: Syntax error on line 2: macro 'tshandlr' undefined\nmore";
  t.match(guessMacro(words), "macro 'tshandlr' undefined; did you mean TsHandler?\nmore");
  const other = "macro 'vhost' undefined";
  t.equal(guessMacro(other), other);
  t.equal(guessMacro("<FilesMatch> was not closed."), "<FilesMatch> was not closed.");
  t.end();
});
