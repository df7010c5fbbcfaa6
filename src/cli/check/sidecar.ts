/** Rules on the sidecar: who may read its secrets, whether it listens, and whether httpd may connect. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { attempt } from "../../base/attempt.ts";
import { probeSocket } from "../../base/probe-socket.ts";
import type { ConfigListener, ResolvedConfig } from "../../config/config.ts";
import { connectionName } from "../../config/listeners.ts";
import { isNamed, splitWords } from "../../httpd/config-tree.ts";
import { type Finding, finding, problem } from "../../httpd/finding.ts";
import type { MergedConfig } from "../../httpd/merged-config.ts";
import { askStatus, controlSocket } from "../../supervisor/control.ts";
import { formatAddress } from "../../supervisor/listener.ts";
import { findSupervisor } from "../../supervisor/run-directory.ts";
import { type Identity, tryAs } from "./as-user.ts";

const timeoutMs = 5000;

/** @param merged undefined if Apache's configuration is unknown */
export async function checkSidecar(
  config: ResolvedConfig,
  merged: MergedConfig | undefined,
): Promise<Finding[]> {
  const { listeners, run, file } = config;
  const results = await Promise.all(
    listeners.map(async (listener) => {
      const error = await probeSocket(listener.address, timeoutMs);
      return { listener, code: error && (error.code ?? error.message) };
    }),
  );
  const failed = results.filter(({ code }) => code !== undefined);
  const pid = findSupervisor(run);
  if (failed.length === listeners.length && pid === undefined) {
    const reason = `${formatAddress(failed[0]!.listener.address)}: ${failed[0]!.code}`;
    const what = `the sidecar of ${file} is not running (${reason})`;
    return [problem("sidecar-down", what, run, "systemctl start mod-ts, or mod-ts start")];
  }
  if (pid === undefined && !existsSync(run)) {
    const open = results.find(({ code }) => code === undefined)?.listener.address;
    const other = open ? `; another process listens on ${formatAddress(open)}` : "";
    const what = `the sidecar of ${file} is not running, or ${run} was removed${other}`;
    const todo = "restart it: systemctl restart mod-ts";
    return [problem("sidecar-down", what, run, todo)];
  }
  const lost = await removedFile(run, failed);
  if (lost !== undefined) {
    const what = `the sidecar runs, and ${lost} was removed`;
    return [problem("not-listening", what, run, "restart the sidecar: systemctl restart mod-ts")];
  }
  const silence = pid === undefined ? undefined : await whySilent(run);
  if (silence !== undefined) {
    const what = `process ${pid}, the supervisor of ${file}, hangs: ${silence}`;
    return [problem("sidecar-down", what, run, "restart it: systemctl restart mod-ts")];
  }
  const findings = failed.map(({ listener, code }) => {
    const address = formatAddress(listener.address);
    const what = `the sidecar does not listen on ${address} (${nameOf(listener)}): ${code}`;
    return problem("not-listening", what, file, "mod-ts upgrade: a reload opens no sockets");
  });
  if (failed.length === 0) findings.push(finding("ok", "the sidecar is running", { where: run }));
  const open = results.filter(({ code }) => code === undefined).map(({ listener }) => listener);
  return [...findings, ...(merged ? await checkPermissions(open, merged) : [])];
}

/** Attack: another user of the machine reads the secret, and speaks to the sidecar as Apache. */
export function checkSecretFiles({ secretFiles }: ResolvedConfig): Finding[] {
  return secretFiles.filter(isWorldReadable).map((file) => {
    const what = `every user of this machine may read the secret in ${file}`;
    return problem("secret-readable", what, file, `chmod o-rwx ${file}`);
  });
}

/** The file itself, and the way to it. */
function isWorldReadable(file: string): boolean {
  if ((statSync(file).mode & 0o004) === 0) return false;
  for (let path = dirname(file); ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** A supervisor that hangs accepts no connections, but the kernel does. */
async function whySilent(run: string): Promise<string | undefined> {
  try {
    await askStatus(run);
    return undefined;
  } catch (error) {
    // Others than root and the sidecar's user may not ask; a time-out has no code.
    const { code, message } = error as NodeJS.ErrnoException;
    return code === undefined ? message : undefined;
  }
}

/** A directory or socket file of a running sidecar that is gone: no upgrade makes it again. */
async function removedFile(
  run: string,
  failed: readonly { listener: ConfigListener; code: string | undefined }[],
): Promise<string | undefined> {
  const file = [run, controlSocket(run)].find((each) => !existsSync(each));
  if (file !== undefined) return file;
  const missing = failed.filter(({ code }) => code === "ENOENT");
  if (missing.length === 0) return undefined;
  const status = await askStatus(run).catch(() => undefined);
  const opened = new Set(status?.listeners.map(({ address }) => address));
  return missing
    .map(({ listener }) => formatAddress(listener.address))
    .find((each) => opened.has(each));
}

function nameOf({ pool, transport }: ConfigListener): string {
  return transport === "gateway" ? `pool ${pool}` : transport;
}

/** As httpd's user. */
async function checkPermissions(
  listeners: readonly ConfigListener[],
  merged: MergedConfig,
): Promise<Finding[]> {
  const identity = httpdIdentity(merged);
  // Others than Apache open those of `connections`.
  const ofApache = listeners.filter(({ transport }) => connectionName(transport) === undefined);
  const paths = ofApache.flatMap(({ address }) => ("path" in address ? [address.path] : []));
  if (!identity || paths.length === 0) return [];
  const codes = await tryAs(
    identity,
    paths.map((path) => ({ kind: "connect", path })),
  );
  return paths.flatMap((path, index) => {
    if (!codes?.[index]) return [];
    const what = `httpd (user ${identity.user}) may not open ${path}: ${codes[index]}`;
    const todo = `socketGroup: "${identity.group}" in mod-ts.config.ts, the sidecar's user in that group, and mod-ts upgrade`;
    return [problem("socket-closed", what, path, todo)];
  });
}

function httpdIdentity({ tree }: MergedConfig): Identity | undefined {
  const valueOf = (name: string): string | number | undefined => {
    const line = tree.findLast((each) => isNamed(each, name));
    const value = line && splitWords(line.args)[0];
    return value?.startsWith("#") ? Number(value.slice(1)) : value;
  };
  const [user, group] = [valueOf("User"), valueOf("Group")];
  return user === undefined || group === undefined ? undefined : { user, group };
}

/** User and groups of the running sidecar, on Linux. */
export function sidecarIdentity(run: string): Identity | undefined {
  const pid = findSupervisor(run);
  if (pid === undefined) return undefined;
  const status = attempt(() => readFileSync(`/proc/${pid}/status`, "utf8"), undefined);
  if (status === undefined) return undefined;
  const idsOf = (name: string): number[] => {
    const [, ids = ""] = new RegExp(`^${name}:(.*)$`, "m").exec(status) ?? [];
    return ids.split(/\s+/).filter(Boolean).map(Number);
  };
  const [, user = 0] = idsOf("Uid");
  const [, group = 0] = idsOf("Gid");
  return { user, group, groups: idsOf("Groups") };
}
