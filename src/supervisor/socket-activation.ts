/** Sockets that systemd opens and passes to this process. */

/** An open socket from systemd, or from the predecessor of this process. */
export interface GivenSocket {
  descriptor: number;
  isOwned: boolean;
}

interface Wanted {
  readonly pool: string;
  readonly transport: string;
}

const socketNames: Readonly<Record<string, string>> = { authorizer: "guards", decider: "decide" };

/** `FileDescriptorName=` of a socket: the pool for content, `connection.name` for one of the sidecar's own. */
export function socketName({ pool, transport }: Wanted): string {
  if (transport.startsWith("connection.")) return transport;
  return socketNames[transport] ?? pool;
}

/** The socket of a pool for a protocol. */
export function givenBySystemd(wanted: Wanted): GivenSocket | undefined {
  const descriptor = inheritedSocket(socketName(wanted));
  return descriptor === undefined ? undefined : { descriptor, isOwned: false };
}

/** `SD_LISTEN_FDS_START`. */
const firstDescriptor = 3;

/**
 * Descriptor of the socket that systemd passed to this process under a name (`FileDescriptorName=`).
 * Children inherit the variables and are told apart by `LISTEN_PID`. See sd_listen_fds(3).
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
