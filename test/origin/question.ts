import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import t from "tap";
import { QuestionMessage, QuestionReply } from "../../src/origin/question.ts";

const question = { method: "POST", path: "/a", headers: { host: "x" } };

t.test("the body is opened when somebody reads", async (t) => {
  let opened = 0;
  const body = (): PassThrough => {
    opened += 1;
    const stream = new PassThrough();
    stream.end("the body");
    return stream;
  };
  const message = new QuestionMessage({ ...question, body }, () => {});
  t.match(message, { method: "POST", url: "/a", headers: { host: "x" } });
  t.equal(opened, 0);
  t.equal(await text(message), "the body");
  t.equal(opened, 1);
  t.equal(await text(new QuestionMessage(question, () => {})), "");
});

t.test("a body that fails, or that cannot be had", async (t) => {
  const broken = new PassThrough();
  const message = new QuestionMessage({ ...question, body: () => broken }, () => {});
  const read = text(message);
  broken.destroy(new Error("gone"));
  await t.rejects(read, /gone/);
  const body = (): never => {
    throw new Error("used");
  };
  await t.rejects(text(new QuestionMessage({ ...question, body }, () => {})), /used/);
});

t.test("a reply closes once", async (t) => {
  const reply = new QuestionReply();
  let closed = 0;
  reply.on("close", () => (closed += 1));
  reply.finish();
  reply.destroy();
  t.match(reply, { destroyed: true, writableFinished: true });
  t.equal(closed, 1);
});
