/**
 * What the Apache side must be told of the sidecar's configuration. `conf`, `dev` and `check` share it.
 * @module
 */
import type { ConfigListener, ResolvedConfig } from "../config.ts";
import type { ConfSettings } from "../httpd/render.ts";
import { originGuard } from "../secret.ts";

/** The settings block of `mod_ts.conf` for a configuration. */
export function confSettings(config: ResolvedConfig): ConfSettings {
  const doorOf = (name: string): string | undefined => {
    const found = config.listeners.find(({ pool, door }) => pool === "main" && door === name);
    return found && tcpAddress(found);
  };
  const tcp = doorOf("gateway");
  const authorizer = doorOf("authorizer");
  return {
    run: config.run,
    // Half of the sidecar's own patience, so that httpd never sends on a connection that is just being closed.
    ttl: Math.max(1, Math.floor(config.keepAlive / 2000)),
    // Longer than the sidecar's own limit, so that the one who knows the cause answers.
    timeout: Math.max(300, Math.ceil(config.limits.handlerTimeout / 1000) + 30),
    ...(config.secret !== undefined && { secret: config.secret }),
    ...(tcp !== undefined && { tcp }),
    ...(authorizer !== undefined && { authorizer }),
    ...(config.origin && config.secret !== undefined && { origin: originGuard(config.secret) }),
    ...(config.origin?.clientHeader !== undefined && { originHeader: config.origin.clientHeader }),
  };
}

/** The lines for pools other than main, to stand after `mod_ts.conf`. */
export function poolLines(config: ResolvedConfig): string {
  return config.listeners
    .filter(({ pool, door }) => pool !== "main" && door === "gateway")
    .map((listener) => {
      const tcp = tcpAddress(listener);
      const { pool } = listener;
      return tcp === undefined ? `Use TsPool ${pool}\n` : `Use TsTcpPool ${pool} ${tcp}\n`;
    })
    .join("");
}

function tcpAddress({ address }: ConfigListener): string | undefined {
  if ("path" in address) return undefined;
  // What listens everywhere is reached here.
  const host = address.host.replace(/^(?:0\.0\.0\.0|::)$/, "127.0.0.1");
  return `${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}
