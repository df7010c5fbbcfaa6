/** The examples, in the order of the tour. */
export const tour: readonly Station[] = [
  {
    title: "A first handler",
    stops: [
      ["/hello", "hello.ts", "The smallest handler: six lines."],
      ["/test-page", "mod_ts/test-page", "Your request as mod_ts gets it from Apache."],
    ],
  },
  {
    title: "Pages and functions",
    stops: [
      ["/pages/", "pages/index.tsp", "TypeScript in HTML: a loop, an include, a layout."],
      ["/publisher/hello.ts/time", "publisher/hello.ts", "A function with its own URL."],
      [
        "/publisher/hello.ts/greet?name=you",
        "publisher/hello.ts",
        "Arguments from the query, validated by a schema.",
      ],
      ["/cgi/env.ts", "cgi/env.ts", "A CGI script, unchanged."],
    ],
  },
  {
    title: "Forms and sessions",
    stops: [
      ["/upload", "upload.ts", "A form with a file, streamed to disk."],
      ["/counter", "counter.ts", "A session that counts your visits and survives restarts."],
    ],
  },
  {
    title: "Applications and live connections",
    stops: [
      ["/app/", "app.ts", "A Hono application, unchanged."],
      ["/events", "events.ts", "Server-sent events: the time, once a second."],
      ["/chat", "chat.ts", "A WebSocket through Apache."],
      ["/sockets", "redis.ts", "The protocol of Redis on a socket of its own, without Apache."],
      ["/traffic", "traffic.ts", "The access log, live: requests per second, slowest addresses."],
    ],
  },
  {
    title: "Around what Apache serves",
    stops: [
      ["/articles/", "policy.ts", "Static files with headers by policy."],
      ["/articles/first-steps", "pretty.ts", "A static file at an address without extension."],
      ["/articles/notes.md", "types.ts", "A static file whose type a handler chooses."],
      ["/filtered/", "rewrite.ts", "A static page, with elements changed while it streams."],
      ["/filtered/orders.json", "mask.ts", "A JSON file, with card numbers masked."],
    ],
  },
  {
    title: "Access control",
    stops: [
      ["/secure/", "mod_ts/sql", "A plain file behind a password dialog: john, secret."],
      [
        "/reports/",
        "reports.ts",
        "Authorization: each department sees its own reports. Log in as john again.",
      ],
      ["/members/", "mod_ts/login", "A plain file behind a login form. Log in as john again."],
    ],
  },
];

export interface Station {
  title: string;
  /** URL, file or built-in handler, description. */
  stops: readonly (readonly [address: string, file: string, text: string])[];
}
