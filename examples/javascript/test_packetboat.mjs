// Tests of packetboat.js on a movie server: node --test test_packetboat.mjs, with PACKETBOAT_MOVIE=ADDR in the environment.
//
// Node has a WebSocket of its own only from 22 on, so these put the same bytes on TCP. Pages in a browser are tested elsewhere.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import net from "node:net";
import { after, before, test } from "node:test";

import { Client, PacketboatError, idempotencyKey, typeNumber } from "./packetboat.js";

const ADDRESS = `ws://${process.env.PACKETBOAT_MOVIE}/`;
const PASSWORD = "correct horse";
const FILM = randomBytes(5_000_000);

/** A WebSocket's face on a TCP connection. `cut` says how many bytes a message has at most. */
class Socket {
  static all = [];
  static cut = Infinity;

  constructor(url) {
    const { hostname, port } = new URL(url);
    Socket.all.push(this);
    this.readyState = 0;
    this.tcp = net.connect(Number(port), hostname);
    this.tcp.on("connect", () => {
      this.readyState = 1;
      this.onopen();
    });
    this.tcp.on("data", (bytes) => {
      for (let at = 0; at < bytes.length; at += Socket.cut) {
        const part = bytes.subarray(at, Math.min(bytes.length, at + Socket.cut));
        this.onmessage({ data: part.buffer.slice(part.byteOffset, part.byteOffset + part.length) });
      }
    });
    this.tcp.on("close", () => {
      this.readyState = 3;
      this.onclose({ code: 1006, reason: "" });
    });
    this.tcp.on("error", () => {});
  }

  get bufferedAmount() {
    return this.tcp.writableLength;
  }

  send(bytes) {
    this.tcp.write(Buffer.from(bytes));
  }

  close() {
    this.readyState = 2;
    this.tcp.end();
  }

  /** The network breaks. */
  destroy() {
    this.tcp.destroy();
  }
}

const clients = [];
function connect(options) {
  const client = new Client(ADDRESS, { WebSocket: Socket, first: 20, ...options });
  clients.push(client);
  return client;
}

const newest = () => Socket.all.at(-1);
const md5 = (bytes) => createHash("md5").update(bytes).digest("hex");
const film = (bytes) => ({ file_name: `${md5(bytes)}.mp4`, file_md5: md5(bytes), is_free: true });

async function loggedIn(name, user_type) {
  const client = connect();
  const login = { name, password: PASSWORD, user_type };
  await client.call("register", login);
  client.session = (await client.call("login", { ...login, keep: true })).session;
  return client;
}

let admin, user, movie;

before(async () => {
  admin = await loggedIn("admin in javascript", "admin");
  user = await loggedIn("user in javascript", "user");
  await admin.call("upload_movie", film(FILM), { attachment: new Blob([FILM]) });
  movie = (await user.call("get_movie_list", { movie_type: "all" })).movie_list[0][2];
});

after(() => clients.forEach((client) => client.close()));

/** The code with which something is refused. */
async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof PacketboatError, String(error.stack));
    return error.code;
  }
  assert.fail("it was not refused");
}

test("names have the numbers that WIRE.md gives them", () => {
  assert.equal(typeNumber("login"), 0xc97f2f32);
});

test("refusals have the application's code and words", async () => {
  const wrong = user.call("login", { name: "nobody", password: PASSWORD, user_type: "user" });
  await assert.rejects(wrong, { name: "PacketboatError", code: "wrong_password", notBegun: false });
  await assert.rejects(user.call("nothing"), { code: "unknown_type", notBegun: true });
  assert.equal(await refused(user.call("release_notice", { notice_name: "a", notice_content: "b" })), "forbidden");
});

test("more calls than the server takes at a time are all answered", async () => {
  const calls = Array.from({ length: 1000 }, () => user.call("get_movie_list", { movie_type: "all" }));
  const replies = await Promise.all(calls);
  assert(replies.every((reply) => reply.movie_list.some(([, , id]) => id === movie)));
});

test("an upload of bytes and of a stream arrives, and tells how far it is", async () => {
  const [one, two] = [randomBytes(700_000), randomBytes(300_001)];
  const told = [];
  const progress = (sent, size) => told.push([sent, size]);
  await admin.call("upload_movie", film(one), { attachment: one, progress });
  assert.deepEqual(told.at(-1), [one.length, one.length]);
  assert(told.length >= 700_000 / 49_152);
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(two.subarray(0, 100_000)));
      controller.enqueue(new Uint8Array(two.subarray(100_000)));
      controller.close();
    },
  });
  await admin.call("upload_movie", { ...film(two), file_size: two.length }, { attachment: stream });
  const { movie_list } = await user.call("get_movie_list", { movie_type: "all" });
  for (const bytes of [one, two]) {
    const [, , movie_id] = movie_list.find(([name]) => name === `${md5(bytes)}.mp4`);
    const { body } = await user.download("download_movie", { movie_id });
    assert.equal(md5(await body.bytes()), md5(bytes));
  }
});

test("an upload that is refused or given up leaves the connection to others", async () => {
  const sockets = Socket.all.length;
  const big = new Blob([new Uint8Array(3_000_000)]);
  assert.equal(await refused(user.call("upload_movie", film(FILM), { attachment: big })), "forbidden");
  const stop = new AbortController();
  const bytes = randomBytes(4_000_000);
  const progress = (sent) => sent > 1_000_000 && stop.abort();
  const upload = admin.call("upload_movie", film(bytes), { attachment: bytes, progress, signal: stop.signal });
  await assert.rejects(upload, { name: "AbortError" });
  const broken = new ReadableStream({
    pull(controller) {
      controller.error(new Error("the disk is gone"));
    },
  });
  const failing = admin.call("upload_movie", { ...film(bytes), file_size: 10 }, { attachment: broken });
  assert.equal(await refused(failing), "source_failed");
  const { movie_list } = await admin.call("get_movie_list", { movie_type: "all" });
  assert(!movie_list.some(([name]) => name === `${md5(bytes)}.mp4`));
  assert.equal(Socket.all.length, sockets);
});

test("a download gives what was uploaded, while others are answered", async () => {
  const { reply, body } = await user.download("download_movie", { movie_id: movie });
  assert.equal(body.size, FILM.length);
  assert.equal(reply.digest, body.digest);
  // Nobody reads it yet.
  await user.call("get_movie_list", { movie_type: "all" });
  assert.equal(md5(await body.bytes()), md5(FILM));
  const small = await user.download("download_movie", { movie_id: movie });
  assert.equal(await refused(small.body.bytes({ max: 1000 })), "attachment_too_large");
  await (await user.download("download_movie", { movie_id: movie })).body.cancel();
  // `call` does not want it.
  await user.call("download_movie", { movie_id: movie });
  await user.call("get_movie_list", { movie_type: "all" });
});

test("a download goes on where the connection broke, as often as it breaks", async () => {
  const { body } = await user.download("download_movie", { movie_id: movie }, { resume: true });
  const parts = [];
  let [length, breaks] = [0, 0];
  for await (const part of body.stream) {
    parts.push(part);
    length += part.length;
    if (length > (breaks + 1) * 1_200_000) {
      breaks += 1;
      Socket.all.filter((socket) => socket.readyState === 1).forEach((socket) => socket.destroy());
    }
  }
  assert.equal(length, FILM.length);
  assert(breaks >= 3);
  assert.equal(md5(Buffer.concat(parts)), md5(FILM));
});

test("a download that does not go on says that the connection was lost", async () => {
  // The connection may have been broken by the test before.
  const { body } = await user.download("download_movie", { movie_id: movie }, { safe: true });
  const reading = body.bytes();
  Socket.all.forEach((socket) => socket.destroy());
  assert.equal(await refused(reading), "lost");
});

test("what is safe is sent again after a break, and nothing else", async () => {
  await user.call("get_movie_list", { movie_type: "all" });
  const safe = user.call("get_movie_list", { movie_type: "all" }, { safe: true });
  const unsafe = user.call("get_movie_list", { movie_type: "all" });
  const keyed = user.call("get_movie_list", { movie_type: "all" }, { key: idempotencyKey() });
  newest().destroy();
  Socket.all.forEach((socket) => socket.destroy());
  assert.equal(await refused(unsafe), "lost");
  assert((await safe).movie_list.length > 0);
  assert((await keyed).movie_list.length > 0);
});

test("frames may be cut anywhere", async () => {
  Socket.cut = 1;
  try {
    const client = connect();
    client.session = user.session;
    const bytes = randomBytes(70_000);
    await admin.call("upload_movie", film(bytes), { attachment: bytes });
    const { movie_list } = await client.call("get_movie_list", { movie_type: "all" });
    const [, , movie_id] = movie_list.find(([name]) => name === `${md5(bytes)}.mp4`);
    const { body } = await client.download("download_movie", { movie_id });
    assert.equal(md5(await body.bytes()), md5(bytes));
  } finally {
    Socket.cut = Infinity;
  }
});

test("every connection begins with what `open` does", async () => {
  let opened = 0;
  const client = connect({
    open: async (call) => {
      opened += 1;
      const login = { name: "user in javascript", password: PASSWORD, user_type: "user" };
      client.session = (await call("login", login)).session;
    },
  });
  await client.call("get_movie_list", { movie_type: "all" });
  newest().destroy();
  await client.call("get_movie_list", { movie_type: "all" }, { safe: true });
  assert.equal(opened, 2);
});

test("a refusal at the beginning closes the client, and its calls say why", async () => {
  const client = connect({
    open: (call) => call("login", { name: "nobody", password: PASSWORD, user_type: "user" }),
  });
  assert.equal(await refused(client.call("get_movie_list", { movie_type: "all" })), "wrong_password");
  assert.equal(client.state, "closed");
});

test("what waits for a connection is bounded in number and in time", async () => {
  const client = new Client("ws://127.0.0.1:9/", { WebSocket: Socket, maxWaiting: 2, timeout: 300 });
  clients.push(client);
  const waiting = [client.call("a"), client.call("b")];
  assert.equal(await refused(client.call("c")), "too_many");
  for (const call of waiting) await assert.rejects(call, { code: "timeout", notBegun: true });
  const late = client.call("d", {}, { timeout: 60_000 });
  client.close();
  assert.equal(await refused(late), "closed");
});
