import { subscribe, unsubscribe } from "node:diagnostics_channel";
import t from "tap";
import { logChannel, reloadChannel } from "../../src/base/channels.ts";

t.test("subscribers find the channels by their documented names", async (t) => {
  for (const [name, channel] of Object.entries({
    "mod_ts:log": logChannel,
    "mod_ts:reload": reloadChannel,
  })) {
    const seen: unknown[] = [];
    const listener = (message: unknown): void => void seen.push(message);
    subscribe(name, listener);
    channel.publish({ name });
    unsubscribe(name, listener);
    channel.publish({ name: "after the end" });
    t.same(seen, [{ name }], name);
  }
});
