/** The transports are flooded in `test/authorizer/server.ts` and `test/decider/server.ts`; here is who makes room. */
import { once } from "node:events";
import { Socket } from "node:net";
import t from "tap";
import { QuestionConnections } from "../../src/base/question-connections.ts";

const mebibyte = 1024 ** 2;

t.test("the oldest makes room for one more, and those that hold most for more bytes", (t) => {
  const connections = new QuestionConnections("test", { connections: 3 });
  const sockets = [1, 2, 3, 4].map(() => new Socket());
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  for (const socket of sockets) connections.add(socket);
  const closed = (): number[] => sockets.flatMap(({ destroyed }, at) => (destroyed ? [at] : []));
  t.same(closed(), [0]);
  const [, second, third, fourth] = sockets as [Socket, Socket, Socket, Socket];
  connections.hold(second, mebibyte);
  connections.hold(third, 8 * mebibyte);
  connections.prove(fourth, () => t.fail("late"));
  connections.hold(fourth, 100 * mebibyte);
  t.same(closed(), [0], "Apache has no limit here");
  connections.hold(second, 2 * mebibyte);
  connections.hold(third, 15 * mebibyte);
  t.same(closed(), [0, 2]);
  t.end();
});

t.test(
  "one time for a question to arrive, the same for its decision, and for the next question",
  async (t) => {
    const connections = new QuestionConnections("test", { budget: 20 });
    const [silent, asking] = [new Socket(), new Socket()];
    connections.add(silent);
    connections.add(asking);
    const { promise: isLate, resolve: late } = Promise.withResolvers<void>();
    connections.prove(asking, late);
    await Promise.all([once(silent, "close"), isLate]);
    t.notOk(asking.destroyed, "it gets an answer");
    connections.answered(asking);
    await once(asking, "close");
    await connections.drain();
  },
);
