import { Hono } from "hono";
import { html } from "hono/html";

const app = new Hono({ strict: false }).basePath("/app");

const frame = (title: string, body: unknown) =>
  html`<!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · mod_ts</title>
        <link rel="stylesheet" href="/style.css" />
        <link rel="icon" href="data:," />
      </head>
      <body>
        <header>
          <a class="home" href="/">mod_ts</a><span>Apache handlers in TypeScript</span>
        </header>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html>`;

app.get("/", (c) =>
  c.html(
    frame(
      "A Hono application",
      html`<p>It runs behind Apache as anywhere else: <code>export default app</code> is enough.</p>
        <ul class="tour">
          <li>
            <a href="/app/books/7">/app/books/7</a>
            <p>a route with a parameter, as JSON</p>
          </li>
          <li>
            <a href="/app/nowhere">/app/nowhere</a>
            <p>the application's own 404</p>
          </li>
        </ul>
        <p class="source">
          Source: <a href="/source/app.ts"><code>examples/app.ts</code></a>
        </p>`,
    ),
  ),
);

app.get("/books/:id", (c) => c.json({ id: Number(c.req.param("id")), title: "The Apache Book" }));

app.notFound((c) => c.html(frame("Not found", html`<p>Hono says so, not Apache.</p>`), 404));

export default app;
