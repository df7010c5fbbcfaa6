import { OK, type ApacheRequest, redirect } from "mod-ts";
import { page, source } from "./layout.ts";

declare module "mod-ts" {
  interface SessionData {
    visits?: number;
  }
}

export async function handler(req: ApacheRequest) {
  const session = await req.session();
  if (req.method === "POST") {
    session.data.visits = 0;
    redirect(req, "/counter");
  }
  session.data.visits = (session.data.visits ?? 0) + 1;
  req.contentType = "text/html";
  req.write(
    page(
      "Counter",
      `<p class="figure">${session.data.visits}</p>
<p>visits in this session. It is in a store that all workers share: SQLite by default, which survives a restart of the sidecar, and Redis in Docker.</p>
<form method="post"><button>Start again</button></form>
${source("counter.ts")}`,
    ),
  );
  return OK;
}
