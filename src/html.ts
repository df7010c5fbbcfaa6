/**
 * Escaping, and the shell of every page that mod_ts itself shows.
 * @module
 */

/** Escapes text for element content and for quoted attribute values (HTML Living Standard, 13.1.2). */
export function escapeHtml(text: string): string {
  // A loop, as a page escapes hundreds of short texts, most of which hold nothing to escape: a regular expression takes thrice as long.
  for (let at = 0; at < text.length; at++) {
    if (entityOf(text.charCodeAt(at)) !== "") return escapeFrom(text, at);
  }
  return text;
}

/** Escapes text whose first character to be escaped is known. */
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

/** The entity for a UTF-16 unit; empty when it needs none. */
function entityOf(unit: number): string {
  // Letters, the most of all text, are told apart by one comparison.
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

/**
 * JSON that may stand inside a `<script>` element: `<` would let a value close the element,
 * U+2028 and U+2029 end a line in older engines.
 */
export function escapeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A table of names and values, escaped; an empty one says so. */
export function htmlTable(rows: Iterable<readonly [string, unknown]>): string {
  const body = [...rows]
    .map(
      ([name, value]) =>
        `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(String(value))}</td></tr>`,
    )
    .join("\n");
  return body ? `<table>\n${body}\n</table>` : "<p class=none>none</p>";
}

/** A whole page in the look of mod_ts. `body` is HTML; the title is escaped here. */
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
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:64rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:2rem 0 .5rem}
a{color:var(--link)}
table{border-collapse:collapse;width:100%;table-layout:fixed;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-top:1px solid var(--line);overflow-wrap:anywhere}
th{width:32%;font-weight:500;color:var(--soft)}
pre,code,td{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.85rem}
pre{background:var(--code);padding:.8rem 1rem;overflow-x:auto;border-radius:.4rem;margin:.5rem 0}
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
