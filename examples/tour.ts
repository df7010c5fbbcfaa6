/** The examples, in the order of the tour. */
export const tour: readonly Station[] = [
  {
    title: "A first handler",
    stops: [
      ["/hello", "hello.ts", "The smallest handler: six lines."],
      ["/test-page", "mod_ts/test-page", "What Apache told mod_ts of your request."],
    ],
  },
  {
    title: "Pages and functions",
    stops: [
      ["/pages/", "pages/index.tsp", "TypeScript in HTML: a loop, an include, a layout."],
      ["/publisher/hello.ts/time", "publisher/hello.ts", "A function at an address of its own."],
      [
        "/publisher/hello.ts/greet?name=you",
        "publisher/hello.ts",
        "Arguments from the query, checked by a schema.",
      ],
      ["/cgi/env.ts", "cgi/env.ts", "A CGI script, unchanged, without a process a request."],
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
      ["/app/", "app.ts", "A Hono application, as it is."],
      ["/events", "events.ts", "Server-sent events: the time, once a second."],
      ["/chat", "chat.ts", "A WebSocket through Apache."],
    ],
  },
  {
    title: "Who may see it",
    stops: [
      ["/secure/", "mod_ts/sql", "A plain file behind a password dialog: john, secret."],
      ["/reports/", "reports.ts", "A policy: each department sees its own. The same john."],
      ["/members/", "mod_ts/login", "A plain file behind a login form. The same john."],
    ],
  },
];

export interface Station {
  title: string;
  /** Address, file or built-in handler, what is to be seen. */
  stops: readonly (readonly [address: string, file: string, text: string])[];
}
