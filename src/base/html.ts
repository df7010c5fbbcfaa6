/** HTML escaping, the layout of mod_ts's own pages, and the page for an error status. */
import { reasonPhrase } from "./http-status.ts";

/** Escapes text for content and quoted attributes (HTML Living Standard, 13.1.2). */
export function escapeHtml(text: string): string {
  // A loop: for short texts without special characters a regular expression takes three times as
  // long.
  for (let at = 0; at < text.length; at++) {
    if (entityOf(text.charCodeAt(at)) !== "") return escapeFrom(text, at);
  }
  return text;
}

function escapeFrom(text: string, first: number): string {
  let escaped = "";
  let done = 0;
  for (let at = first; at < text.length; at++) {
    const entity = entityOf(text.charCodeAt(at));
    if (entity === "") continue;
    escaped += text.slice(done, at) + entity;
    done = at + 1;
  }
  return escaped + text.slice(done);
}

/** The entity of a UTF-16 unit; empty if it needs none. */
function entityOf(unit: number): string {
  // Fast path: letters are greater.
  if (unit > 62) return "";
  switch (unit) {
    case 34:
      return "&quot;";
    case 38:
      return "&amp;";
    case 39:
      return "&#39;";
    case 60:
      return "&lt;";
    case 62:
      return "&gt;";
    default:
      return "";
  }
}

/** A table of escaped names and values. */
export function htmlTable(rows: Iterable<readonly [string, unknown]>): string {
  const body = [...rows]
    .map(
      ([name, value]) =>
        `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(String(value))}</td></tr>`,
    )
    .join("\n");
  return body ? `<table>\n${body}\n</table>` : "<p class=none>none</p>";
}

/** A page in the style of mod_ts. `body` is HTML; the title is escaped here. */
export function htmlPage(title: string, body: string): string {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${css}</style>
</head><body><main>
${body}
</main></body></html>
`;
}

const css = `
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5b6876;--paper:#fbfaf7;--line:#dcd8cf;--code:#f1eee6;--hit:#fde3de;--mark:#b3261e;--link:#0b5c8a;--field:#857e70}
@media(prefers-color-scheme:dark){:root{--ink:#e4e1da;--soft:#9aa4af;--paper:#15191e;--line:#323941;--code:#1e242b;--hit:#47221f;--mark:#ff8a7d;--link:#7cc4ee;--field:#7d8894}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:64rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem}
h2{font-size:1.05rem;margin:2rem 0 .5rem}
a{color:var(--link)}
table{border-collapse:collapse;width:100%;table-layout:fixed;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-top:1px solid var(--line)}
th{width:36%;font-weight:500;color:var(--soft)}
pre,code,td{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.85rem}
pre{background:var(--code);padding:.8rem 1rem;white-space:pre-wrap;border-radius:.4rem;margin:.5rem 0}
.none,.soft{color:var(--soft)}
.kicker{color:var(--mark);font-weight:600;margin:0 0 .25rem}
.card{max-width:22rem;margin:8vh auto 0}
label{display:block;margin:1rem 0 .25rem;font-weight:500}
input:not([type=hidden]){display:block;width:100%;padding:.55rem .7rem;font:inherit;color:inherit;background:var(--code);border:1px solid var(--field);border-radius:.4rem}
button{margin-top:1.5rem;padding:.55rem 1.2rem;font:inherit;font-weight:600;color:var(--paper);background:var(--link);border:0;border-radius:.4rem;cursor:pointer}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.problem{background:var(--hit);padding:.6rem .8rem;border-radius:.4rem;margin:1rem 0}
.hit{background:var(--hit);display:inline-block;min-width:100%}
`;

const explanations: Readonly<Record<number, string>> = {
  400: "The server cannot understand this request.",
  401: "This page needs a valid user name and password.",
  403: "You are not allowed to see this page.",
  404: "There is nothing at this address.",
  405: "This address does not accept that request method.",
  408: "The request took too long to arrive.",
  411: "The request must say how long its body is.",
  412: "A condition that the request sets does not hold.",
  413: "The body of the request is too large.",
  414: "The address is too long.",
  415: "The server does not accept a body of this type.",
  416: "The requested part lies outside the document.",
  429: "There were too many requests; try again later.",
  431: "The headers of the request are too large.",
  500: "Something went wrong on the server. Its error log says what.",
  501: "The server does not know this request method.",
  502: "The server behind this one gave no valid answer.",
  503: "The server cannot answer just now; try again later.",
  504: "The server did not answer in time.",
};

/** @param uniqueId Apache's id of the request, for visitors to quote and administrators to grep */
export function errorPage(status: number, uniqueId: string): string {
  const title = `${status} ${reasonPhrase(status)}`;
  const reference = status >= 500 && uniqueId ? `<p>Reference: ${escapeHtml(uniqueId)}</p>\n` : "";
  return (
    `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n<title>${title}</title>\n</head><body>\n` +
    `<h1>${reasonPhrase(status)}</h1>\n<p>${explanations[status] ?? title}</p>\n${reference}</body></html>\n`
  );
}
