/** Changes of files that Apache itself serves, for pages that are open in a browser. */
import { basename } from "node:path";
import { log } from "../../base/log.ts";

export interface ChangeCounts {
  /** Style sheets, which a page takes without being loaded again. */
  styles: number;
  /** Whatever else a page shows or runs. Data is not among them: applications write it. */
  others: number;
}

const style = /\.css$/i;
const other = /\.(?:html?|m?js|svg)$/i;

/** Counts per directory, from the first question on. */
export class StaticChanges {
  readonly #roots = new Map<string, ChangeCounts>();

  /** Grows with each save below the directory. */
  counts(root: string): Readonly<ChangeCounts> {
    const known = this.#roots.get(root);
    if (known) return known;
    const counts: ChangeCounts = { styles: 0, others: 0 };
    this.#roots.set(root, counts);
    if (root !== "" && root !== "/") void follow(root, counts).catch(report);
    return counts;
  }
}

/** The watcher lives as long as the process, and does not keep it alive. */
async function follow(root: string, counts: ChangeCounts): Promise<void> {
  const { watch } = await import("chokidar");
  const watcher = watch(root, {
    ignored: (path) => path !== root && /^(?:\.|node_modules$)/.test(basename(path)),
    ignoreInitial: true,
    persistent: false,
  });
  watcher.on("error", report);
  watcher.on("all", (_event, path) => {
    if (style.test(path)) counts.styles += 1;
    else if (other.test(path)) counts.others += 1;
  });
}

function report(error: unknown): void {
  log("info", `saved files of the document root are not noticed: ${String(error)}`);
}
