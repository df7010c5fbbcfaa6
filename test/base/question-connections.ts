/** The transports are flooded in `test/authorizer/server.ts` and `test/decider/server.ts`; here is who makes room. */
import { Socket } from "node:net";
import t from "tap";
import { QuestionConnections } from "../../src/base/question-connections.ts";

const mebibyte = 1024 ** 2;

t.test("the oldest makes room for one more, and those that hold most for more bytes", (t) => {
  const connections = new QuestionConnections("test", 3);
  const sockets = [1, 2, 3, 4].map(() => new Socket());
  for (const socket of sockets) connections.add(socket);
  const closed = (): number[] => sockets.flatMap(({ destroyed }, at) => (destroyed ? [at] : []));
  t.same(closed(), [0]);
  const [, second, third, fourth] = sockets as [Socket, Socket, Socket, Socket];
  connections.hold(second, mebibyte);
  connections.hold(third, 8 * mebibyte);
  connections.prove(fourth);
  connections.hold(fourth, 100 * mebibyte);
  t.same(closed(), [0], "Apache has no limit here");
  connections.hold(second, 2 * mebibyte);
  connections.hold(third, 15 * mebibyte);
  t.same(closed(), [0, 2]);
  t.end();
});
