/** The signals of an administrator, a terminal, systemd and logrotate. */
import { log } from "../base/log.ts";

export interface SignalCommands {
  /** SIGHUP. */
  reload: () => void;
  /** SIGUSR2. */
  upgrade: () => void;
  /** SIGTERM and SIGINT. */
  stop: () => void;
  /** SIGUSR1; without a line in the log that has just been renamed. */
  reopenLogs: () => void;
}

/** Obeys signals until the returned function is called. */
export function obeySignals({ reload, upgrade, stop, reopenLogs }: SignalCommands): () => void {
  const logged = { SIGHUP: reload, SIGUSR2: upgrade, SIGTERM: stop, SIGINT: stop } as const;
  const listeners = Object.entries(logged).map(([signal, command]) => {
    const obey = (): void => {
      log("notice", `got ${signal}`);
      command();
    };
    return [signal, obey] as const;
  });
  const all = [...listeners, ["SIGUSR1", reopenLogs] as const];
  for (const [signal, obey] of all) process.on(signal, obey);
  return () => {
    for (const [signal, obey] of all) process.off(signal, obey);
  };
}
