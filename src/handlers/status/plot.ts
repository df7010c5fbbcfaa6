/** Small plots as inline SVG. Presentation is in the style sheet, as a strict policy requires. */
import { escapeHtml as escape } from "../../base/html.ts";

export interface Plot {
  title: string;
  /** The newest value, in words. */
  value: string;
  /** Values from oldest to newest; the first line is filled. */
  lines: readonly (readonly number[])[];
  format: (value: number) => string;
}

/** Samples of the whole width. */
const width = 120;
const height = 40;

export function plot({ title, value, lines, format }: Plot): string {
  const most = Math.max(0, ...lines.flat());
  const shapes = lines.map((values, index) => {
    const points = pointsOf(values, most);
    if (points.length === 0) return "";
    const path = points.map(([x, y]) => `${x},${y}`).join(" ");
    const [first, last] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
    const area = `<polygon class="area" points="${first},${height} ${path} ${last},${height}"/>`;
    return `${index === 0 ? area : ""}<polyline class="line${index === 0 ? "" : " second"}" points="${path}"/>`;
  });
  return `<figure><figcaption>${escape(title)}<strong>${escape(value)}</strong></figcaption>
<svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="${escape(`${title}: ${value}`)}"><line class="base" x1="0" y1="${height}" x2="${width}" y2="${height}"/>${shapes.join("")}</svg>
<div class="scale"><span>10 min</span><span>at most ${escape(format(most))}</span></div></figure>`;
}

/** The newest value is at the right edge. */
function pointsOf(values: readonly number[], most: number): [number, number][] {
  const start = width - values.length + 1;
  return values.map((value, index) => [
    start + index,
    Math.round((height - (most === 0 ? 0 : (value / most) * (height - 2))) * 10) / 10,
  ]);
}
