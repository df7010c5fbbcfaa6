import t from "tap";
import { errorPage } from "../src/error-page.ts";

t.test("says what the status means, in Apache's look", async (t) => {
  const page = errorPage(404, "id-1");
  t.match(page, "<title>404 Not Found</title>");
  t.match(page, "<h1>Not Found</h1>");
  t.match(page, "There is nothing at this address.");
  t.notMatch(page, "id-1", "a visitor cannot do anything about a 404");
});

t.test("from 500 on it has a reference, escaped", async (t) => {
  t.match(errorPage(500, "<id>"), "<p>Reference: &lt;id&gt;</p>");
  t.notMatch(errorPage(500, ""), "Reference");
});

t.test("a status without an explanation", async (t) => {
  t.match(errorPage(418, ""), /<h1>I&#39;m a Teapot<\/h1>|<h1>I'm a Teapot<\/h1>/);
  t.match(errorPage(599, ""), "<h1>Unknown</h1>");
});
