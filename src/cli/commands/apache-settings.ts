/** Settings of `mod_ts.conf` for a configuration, shared by `conf`, `dev` and `check`. */
import type { ConfigListener, ResolvedConfig } from "../../config/config.ts";
import type { SidecarAddresses } from "../../httpd/address-rules.ts";
import type { SidecarDirectories } from "../../httpd/file-rules.ts";
import { formatAddress } from "../../supervisor/listener.ts";
import type { ConfSettings, SidecarSettings } from "../../httpd/render.ts";
import { originGuard } from "../../base/crypto.ts";

export function confSettings(config: ResolvedConfig): ConfSettings {
  const transportOf = (name: string): string | undefined => {
    const found = config.listeners.find(
      ({ pool, transport }) => transport === name && (pool === "main" || name === "authorizer"),
    );
    return found && tcpAddress(found);
  };
  const tcp = transportOf("gateway");
  const authorizer = transportOf("authorizer");
  return {
    run: config.run,
    // Half of the sidecar's, so that httpd never uses a connection that is being closed.
    ttl: Math.max(1, Math.floor(config.keepAlive / 2000)),
    // Longer than the sidecar's limit: the sidecar knows the cause.
    timeout: Math.max(300, Math.ceil(config.limits.handlerTimeout / 1000) + 30),
    ...(config.secret !== undefined && { secret: config.secret }),
    ...(tcp !== undefined && { tcp }),
    ...(authorizer !== undefined && { authorizer }),
    ...(config.origin && config.secret !== undefined && { origin: originGuard(config.secret) }),
    ...(config.accessLog !== undefined && { accessLog: config.accessLog }),
    ...(config.origin?.clientHeader !== undefined && { originHeader: config.origin.clientHeader }),
  };
}

/** Of a configuration with a name, which has a secret. */
export function sidecarSettings(config: ResolvedConfig): SidecarSettings {
  const { name, run, secret = "" } = config;
  const { authorizer, accessLog, origin } = confSettings(config);
  const pools = config.listeners
    .filter(({ pool, transport }) => pool !== "main" && transport === "gateway")
    .map(({ pool }) => pool);
  return {
    name,
    run,
    secret,
    pools,
    ...(authorizer !== undefined && { authorizer }),
    ...(accessLog !== undefined && { accessLog }),
    ...(origin !== undefined && { origin }),
  };
}

/** What Apache's configuration must agree with. */
export function sidecarFacts(config: ResolvedConfig): SidecarAddresses & SidecarDirectories {
  const { file, name, handlers, run, listeners, limits } = config;
  const gateways = listeners.filter(({ transport }) => transport === "gateway");
  const authorizer = listeners.find(({ transport }) => transport === "authorizer");
  const port = authorizer && placeOf(authorizer);
  return {
    file,
    name,
    handlers,
    run,
    pools: Object.fromEntries(gateways.map((listener) => [listener.pool, placeOf(listener)])),
    authorizer: typeof port === "number" ? port : undefined,
    handlerTimeout: limits.handlerTimeout,
  };
}

function placeOf({ address }: ConfigListener): string | number {
  return "path" in address ? address.path : address.port;
}

/** Lines for pools other than main, after `mod_ts.conf`. */
export function poolLines(config: ResolvedConfig): string {
  return config.listeners
    .filter(({ pool, transport }) => pool !== "main" && transport === "gateway")
    .map((listener) => {
      const tcp = tcpAddress(listener);
      const { pool } = listener;
      return tcp === undefined ? `Use TsPool ${pool}\n` : `Use TsTcpPool ${pool} ${tcp}\n`;
    })
    .join("");
}

function tcpAddress({ address }: ConfigListener): string | undefined {
  if ("path" in address) return undefined;
  // A wildcard address is reached over loopback.
  const host = address.host.replace(/^(?:0\.0\.0\.0|::)$/, "127.0.0.1");
  return formatAddress({ host, port: address.port });
}
