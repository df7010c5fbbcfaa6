/** Callbacks to Apache: their configuration and mistakes. */
import { countWorkers, type PoolConfig } from "./pools.ts";

/** How the sidecar reaches Apache. */
export interface OriginConfig {
  /** E.g. `http://127.0.0.1:80`; of another virtual host: `Use TsOption mod_ts.origin.apache …`. */
  url: string;
  /**
   * `MaxRequestWorkers` of Apache. A callback holds two of them: a third is the limit of callbacks,
   * and as many may be queued.
   * @default 150
   */
  requestWorkers?: number;
  /** Apache's `RemoteIPHeader`, if already used for another purpose. */
  clientHeader?: string;
}

/** Checks against the rest of the configuration. */
export function judgeOrigin(
  config: {
    readonly secret: string | undefined;
    readonly pools: Readonly<Record<string, PoolConfig>>;
    readonly development: boolean;
  },
  { url, requestWorkers }: OriginConfig & { requestWorkers: number },
  mistakes: string[],
): void {
  const { protocol, pathname, username } = URL.parse(url) ?? {};
  if (!/^https?:$/.test(protocol ?? "") || pathname !== "/" || username) {
    mistakes.push("origin.url: it must be http://host:port or https://host:port");
  }
  if (config.secret === undefined) mistakes.push("origin: it needs secret or secretFile");
  const workers = countWorkers(config);
  // `mod-ts dev` has no configured number and one client.
  if (requestWorkers < 3 * workers && !config.development) {
    mistakes.push(
      `origin.requestWorkers: ${workers} worker processes need ${3 * workers} at least, or Apache can run out of threads`,
    );
  }
}
