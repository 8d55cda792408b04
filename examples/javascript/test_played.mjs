// Tests of packetboat.js on a server that the test plays: node --test test_played.mjs. What a real one seldom does.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Client } from "./packetboat.js";

const [MESSAGE, REPLY, ERROR, PUSH, DATA, END, CREDIT, CANCEL] = [1, 2, 3, 4, 5, 6, 7, 8];
const [EXTENDED, ATTACHMENT, RESUMABLE, ABORTED] = [1, 2, 4, 8];

/** A WebSocket whose other end is the test. */
class Played {
  static all = [];
  /** What a server does as soon as it is connected. */
  static greet = (played) => played.preface(1);

  constructor() {
    Played.all.push(this);
    this.readyState = 0;
    this.bufferedAmount = 0;
    this.frames = [];
    this.waiting = [];
    setImmediate(() => {
      this.readyState = 1;
      this.onopen();
      Played.greet(this);
    });
  }

  preface(limit) {
    this.onmessage({ data: Uint8Array.of(0xb0, 0xa7, 0xb0, 0xa7, 1, 1, limit >> 8, limit & 255).buffer });
  }

  /** The client sends each of these frames in one message, and its preface before them. */
  send(bytes) {
    if (bytes[0] === 0xb0) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.frames.push({ kind: bytes[0], flags: bytes[1], id: view.getUint32(8), type: view.getUint32(12), bytes });
    for (const wake of this.waiting.splice(0)) wake();
  }

  /** The next frame of a kind that the client sends. */
  async next(kind) {
    for (;;) {
      const at = this.frames.findIndex((frame) => frame.kind === kind);
      if (at >= 0) return this.frames.splice(at, 1)[0];
      await new Promise((resolve) => this.waiting.push(resolve));
    }
  }

  /** Says something: with the attachment's size before it, where there is one. */
  say(kind, { flags = 0, id = 0, type = 0, value, size } = {}) {
    const field = size === undefined ? [] : [0, 10, 2, 8, 0, 0, 0, 0, 0, 0, 0, size];
    if (field.length) flags |= EXTENDED;
    const said = new TextEncoder().encode(value === undefined ? "" : JSON.stringify(value));
    const data = Uint8Array.of(...field, ...said);
    const bytes = new Uint8Array(16 + data.length);
    const view = new DataView(bytes.buffer);
    bytes.set([kind, flags]);
    view.setUint32(4, data.length);
    view.setUint32(8, id);
    view.setUint32(12, type);
    bytes.set(data, 16);
    this.onmessage({ data: bytes.buffer });
  }

  close() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    setImmediate(() => this.onclose({ code: 1000, reason: "" }));
  }
}

const clients = [];
function connect(options) {
  const client = new Client("ws://played.example/", { WebSocket: Played, first: 20, timeout: 5_000, ...options });
  clients.push(client);
  return client;
}

afterEach(() => {
  clients.splice(0).forEach((client) => client.close());
  Played.all = [];
  Played.greet = (played) => played.preface(1);
});

/** The connection with this number, once there is one. */
async function connection(number = 0) {
  while (!Played.all[number]?.onmessage || Played.all[number].readyState === 0) await pause(1);
  return Played.all[number];
}

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

/** The server answers the next message, and the connection takes calls as before. */
async function works(client, server) {
  const call = client.call("add", { a: 1 });
  const { id } = await server.next(MESSAGE);
  server.say(REPLY, { id, value: { sum: 1 } });
  assert.deepEqual(await call, { sum: 1 });
}

const said = (seq) => ({ value: { type: "said", room: "lobby", epoch: "e", seq, data: seq } });

test("what was missed comes behind the answer of a join, and is not taken for old", async () => {
  const heard = [];
  const client = connect({
    open: async (call) => client.joined("lobby", await call("enter", { after: client.position("lobby") })),
  });
  client.on("said", ({ seq }) => heard.push(seq));
  const first = await connection();
  // The first push is faster than the answer, which says where the room was before it.
  const joining = await first.next(MESSAGE);
  first.say(PUSH, said(6));
  first.say(REPLY, { id: joining.id, value: { epoch: "e", seq: 5 } });
  await works(client, first);
  first.say(PUSH, said(6));
  assert.deepEqual(heard, [6]);
  first.close();
  const second = await connection(1);
  const again = await second.next(MESSAGE);
  second.say(REPLY, { id: again.id, value: { epoch: "e", seq: 8 } });
  for (const seq of [7, 8, 9]) second.say(PUSH, said(seq));
  await works(client, second);
  assert.deepEqual(heard, [6, 7, 8, 9]);
  assert.deepEqual(client.position("lobby"), { epoch: "e", seq: 9 });
});

test("a server that closes as soon as it has accepted is asked ever less often", async (t) => {
  t.mock.method(Math, "random", () => 1);
  Played.greet = (played) => {
    played.preface(1);
    setImmediate(() => played.close());
  };
  connect({ first: 20, most: 10_000 });
  await pause(500);
  // At 0, 20, 60, 140 and 300 ms.
  assert(Played.all.length >= 3 && Played.all.length <= 6, `${Played.all.length} connections`);
});

test("a message that cannot be serialised is refused, and holds no place", async () => {
  const client = connect();
  const server = await connection();
  const [circle, other] = [{}, client.call("slow", {})];
  circle.self = circle;
  const slow = await server.next(MESSAGE);
  // While another has the only place, and while none has.
  await assert.rejects(client.call("add", { a: 1n }), TypeError);
  server.say(REPLY, { id: slow.id, value: {} });
  await other;
  await assert.rejects(client.call("add", circle), TypeError);
  await works(client, server);
  assert.equal(Played.all.length, 1);
});

test("an upload whose stream stands still is given up, and its place is free", async () => {
  const client = connect();
  const server = await connection();
  let why;
  const stream = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: (reason) => (why = reason),
  });
  const stop = new AbortController();
  const upload = client.call("keep", { file_size: 20 }, { attachment: stream, signal: stop.signal });
  const { id } = await server.next(MESSAGE);
  server.say(CREDIT, { id, type: 1000 });
  await server.next(DATA);
  stop.abort();
  await assert.rejects(upload, { name: "AbortError" });
  const end = await server.next(END);
  assert(end.flags & ABORTED);
  assert.equal(why, "cancelled");
  await server.next(CANCEL);
  server.say(ERROR, { id, type: 65 });
  await works(client, server);
});

test("an attachment that comes for an upload that could not be read is not wanted", async () => {
  const client = connect();
  const server = await connection();
  const stream = new ReadableStream({ pull: (controller) => controller.error(new Error("the disk is gone")) });
  const upload = client.download("swap", { file_size: 20 }, { attachment: stream });
  const { id } = await server.next(MESSAGE);
  server.say(CREDIT, { id, type: 1000 });
  await assert.rejects(upload, { code: "source_failed" });
  await server.next(END);
  server.say(REPLY, { id, flags: ATTACHMENT, value: {} });
  await server.next(CANCEL);
  server.say(END, { id, flags: ABORTED, type: 75 });
  await works(client, server);
});

test("a download that is not wanted any more does not go on behind a break", async () => {
  const client = connect();
  const first = await connection();
  const download = client.download("fetch", {}, { resume: true });
  const reply = (server, id) => server.say(REPLY, { id, flags: ATTACHMENT | RESUMABLE, value: {}, size: 10 });
  reply(first, (await first.next(MESSAGE)).id);
  const { body } = await download;
  const reader = body.stream.getReader();
  const reading = reader.read();
  await first.next(CREDIT);
  first.close();
  const second = await connection(1);
  const again = await second.next(MESSAGE);
  await reader.cancel();
  assert((await reading).done);
  reply(second, again.id);
  await second.next(CANCEL);
  second.say(END, { id: again.id, flags: ABORTED, type: 75 });
  await works(client, second);
});
