/** Style and script of the status page, sent as requests of their own. */

export const style = `
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5b6876;--paper:#fbfaf7;--card:#fff;--line:#dcd8cf;--code:#f1eee6;--good:#1f7a4d;--warn:#9a6200;--bad:#b3261e;--plot:#0b5c8a;--second:#a8632b}
@media(prefers-color-scheme:dark){:root{--ink:#e4e1da;--soft:#9aa4af;--paper:#15191e;--card:#1b2127;--line:#323941;--code:#1e242b;--good:#6fcf97;--warn:#f2c063;--bad:#ff8a7d;--plot:#7cc4ee;--second:#e0a878}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 4rem}
header{display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:baseline}
h1{font-size:1.4rem;margin:0}
h2{font-size:1rem;margin:2rem 0 .6rem}
a{color:var(--plot)}
.soft{color:var(--soft)}
.state{font-weight:600}
.state::before{content:"";display:inline-block;width:.65em;height:.65em;border-radius:50%;background:currentColor;margin-right:.4em}
.ready{color:var(--good)}.degraded,.starting,.draining{color:var(--warn)}.down,.blocked,.failed{color:var(--bad)}
.reasons{color:var(--bad);margin:.5rem 0 0;padding-left:1.2rem}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.75rem;margin-top:1.2rem}
figure{margin:0;padding:.7rem .8rem .5rem;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
figcaption{font-size:.85rem;color:var(--soft)}
figcaption strong{display:block;color:var(--ink);font-size:1.15rem;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{display:block;width:100%;height:3.5rem;margin-top:.4rem;overflow:visible}
.area{fill:var(--plot);opacity:.14;stroke:none}
.line{fill:none;stroke:var(--plot);stroke-width:1.5;vector-effect:non-scaling-stroke}
.line.second{stroke:var(--second)}
.base{stroke:var(--line);stroke-width:1;vector-effect:non-scaling-stroke}
.scale{display:flex;justify-content:space-between;font-size:.72rem;color:var(--soft)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
table{border-collapse:collapse;width:100%;font-size:.87rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .7rem;border-top:1px solid var(--line);vertical-align:top;white-space:nowrap}
thead th{border-top:0;font-weight:500;color:var(--soft)}
.number{text-align:right}
.text{white-space:normal;overflow-wrap:anywhere;min-width:14rem}
code{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.92em}
pre{margin:.2rem 0 0;padding:.3rem .5rem;background:var(--code);border-radius:.3rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85em}
.none{color:var(--soft);padding:.6rem .8rem;margin:0}
@media(max-width:40rem){table:has(.text) thead{display:none}tr:has(.text){display:flex;flex-wrap:wrap}tr:has(.text)>td{border-top:0}tr+tr:has(.text){border-top:1px solid var(--line)}.text{width:100%}}
:focus-visible{outline:2px solid var(--plot);outline-offset:2px}
footer{margin-top:2rem;font-size:.85rem;color:var(--soft)}
`;

/** Replaces the content every two seconds, while the page is visible; what is scrolled or has the focus stays so. */
export const script = `
const main = document.querySelector("main");
const parts = () => [...main.querySelectorAll(".scroll, a")].map((part) => [part.ariaLabel ?? part.href, part]);
const show = (content) => {
  const before = new Map(parts().map(([name, part]) => [name, [part.scrollLeft, part === document.activeElement]]));
  main.innerHTML = content;
  for (const [name, part] of parts()) {
    const [left, focused] = before.get(name) ?? [0, false];
    part.scrollLeft = left;
    if (focused) part.focus({ preventScroll: true });
  }
};
const update = async () => {
  if (document.hidden) return;
  try {
    const response = await fetch("?format=content", { cache: "no-store" });
    if (!response.ok) throw new Error(response.status);
    const selection = String(getSelection());
    if (selection === "") show(await response.text());
  } catch {
    const state = document.querySelector("header .state");
    state.className = "state down";
    state.textContent = "no answer";
  }
};
setInterval(update, 2000);
`;
