/**
 * A body that is made while it is sent, at the pace of the client.
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { ModTsError } from "../errors.ts";
import { OK, type Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { Producer } from "./producer.ts";
import type { Labelled } from "./publish.ts";
import { setType } from "./content-type.ts";

/**
 * Sends all parts. A client that goes away ends the producer, a generator once it has its next part; one that waits for ever is
 * given up when the time of a handler is over. Rejects with what it throws.
 */
export async function sendStream(
  req: ApacheRequest,
  producer: Producer,
  from: Labelled,
): Promise<Outcome> {
  const { signal } = req;
  const stop = (): void => producer.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await sendParts(req, producer, from);
    return OK;
  } catch (error) {
    stop();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function sendParts(req: ApacheRequest, producer: Producer, from: Labelled): Promise<void> {
  for (let isFirst = true; ; isFirst = false) {
    const part = await producer.next();
    if (part.done) return;
    const data = toData(part.value, from);
    // Text is no page unless its author says so: its end, by which a page is told, is not there yet.
    if (isFirst) setType(req, typeof data === "string" ? "text/plain" : "application/octet-stream");
    const hasRoom = req.write(data);
    // Its headers are those of GET, for which the first part was needed; the rest is not.
    if (req.headerOnly) {
      producer.stop();
      return req.flush();
    }
    if (producer.isLive) await req.flush();
    else if (!hasRoom) await breathe(req);
  }
}

/** What is made without waiting leaves other requests no turn but here. */
async function breathe(req: ApacheRequest): Promise<void> {
  await req.flush();
  await setImmediate();
}

function toData(value: unknown, { label }: Labelled): string | Uint8Array {
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  const reason = "a part of a stream must be text or bytes";
  throw new ModTsError("MODTS_BAD_RESULT", { name: label, reason });
}
