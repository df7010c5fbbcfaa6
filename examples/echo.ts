import type { Connection } from "mod-ts";

/** Sends each line back, until the client closes or says `quit`. */
export async function connectionHandler(connection: Connection) {
  for (;;) {
    const line = await connection.readLine();
    if (line === null || line === "quit") return;
    await connection.write(`${line}\r\n`);
  }
}
