/**
 * Sockets that systemd opened before it started us, so that Apache's connections wait while there is no sidecar (`systemd.socket(5)`).
 * @module
 */

/** The first descriptor that is passed: sd_listen_fds(3), `SD_LISTEN_FDS_START`. */
const firstDescriptor = 3;

/**
 * The descriptor of the socket with a name (`FileDescriptorName=` of the unit); undefined when systemd passed none of this name to
 * this very process: the variables are inherited by children, whom they do not concern.
 */
export function inheritedSocket(
  name: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): number | undefined {
  if (Number(environment["LISTEN_PID"]) !== process.pid) return undefined;
  const count = Number(environment["LISTEN_FDS"] ?? 0);
  const index = (environment["LISTEN_FDNAMES"] ?? "").split(":").slice(0, count).indexOf(name);
  return index < 0 ? undefined : firstDescriptor + index;
}
