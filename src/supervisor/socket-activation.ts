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

/** Names of the sockets that systemd passes, except those of pools and of `connection.name`. */
const socketNames: Readonly<Record<string, string>> = { authorizer: "guards", decider: "decide" };

/** The socket of a pool for a protocol. */
export function givenBySystemd({ pool, transport }: Wanted): GivenSocket | undefined {
  const name = transport.startsWith("connection.") ? transport : pool;
  const descriptor = inheritedSocket(socketNames[transport] ?? name);
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
