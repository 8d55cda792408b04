// The client on a real WebSocket. `window.done` is what came of it: the names of the tests, and what failed.

import { Client, PacketboatError } from "/packetboat.js";

/** Every WebSocket that was opened, so that a test can break one. */
const sockets = [];
class Recorded extends WebSocket {
  constructor(...args) {
    super(...args);
    sockets.push(this);
  }
}

const connect = (options) => new Client("/socket", { WebSocket: Recorded, first: 20, ...options });
const client = connect();

function equal(left, right) {
  const [one, other] = [JSON.stringify(left), JSON.stringify(right)];
  if (one !== other) throw new Error(`${one} is not ${other}`);
}

async function code(promise) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof PacketboatError) return error.code;
    throw error;
  }
  throw new Error("it was not refused");
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function noise(length) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

/** Resolves with the next `count` pushes of a type. */
function pushes(client, type, count) {
  return new Promise((resolve) => {
    const all = [];
    const off = client.on(type, (push) => {
      if (all.push(push) < count) return;
      off();
      resolve(all);
    });
  });
}

const tests = {
  async "a call is answered"() {
    equal(await client.call("add", { a: 2, b: 3 }), { sum: 5 });
    equal(client.state, "open");
  },
  async "more calls than the server takes at a time are answered"() {
    const sums = await Promise.all(Array.from({ length: 1000 }, (_, a) => client.call("add", { a, b: 1 })));
    equal(sums.at(-1), { sum: 1000 });
  },
  async "a refusal has its code and words"() {
    equal(await code(client.call("refuse")), "too_late");
    equal(await code(client.call("nothing")), "unknown_type");
  },
  async "a message larger than one of the WebSocket goes in pieces"() {
    equal(await client.call("measure", { text: "語".repeat(20_000) }), { length: 60_000 });
  },
  async "a file goes up and comes down, and small calls go between"() {
    const bytes = noise(3_000_000);
    const told = [];
    const file = new File([bytes], "noise.bin");
    const progress = (sent, size) => told.push([sent, size]);
    const up = client.call("keep", { name: "noise" }, { attachment: file, progress });
    equal(await client.call("add", { a: 1, b: 1 }), { sum: 2 });
    equal(await up, { sha256: await sha256(bytes), size: bytes.length });
    equal(told.at(-1), [bytes.length, bytes.length]);
    const { reply, body } = await client.download("fetch", { name: "noise" });
    equal([reply.size, body.size], [bytes.length, bytes.length]);
    equal(await client.call("add", { a: 1, b: 2 }), { sum: 3 });
    equal(await sha256(await body.bytes()), await sha256(bytes));
  },
  async "a download goes on where the connection broke"() {
    const { body } = await client.download("fetch", { name: "noise" }, { resume: true });
    const parts = [];
    let length = 0;
    const reader = body.stream.getReader();
    for (let broken = false; ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      length += value.length;
      if (!broken && length > 1_000_000) {
        broken = true;
        sockets.at(-1).close();
      }
    }
    equal(length, 3_000_000);
    const whole = new Uint8Array(await new Blob(parts).arrayBuffer());
    const again = await client.download("fetch", { name: "noise" }, { safe: true });
    equal(await sha256(whole), await sha256(await again.body.bytes()));
  },
  async "an upload is given up, and the connection goes on"() {
    const before = sockets.length;
    const stop = new AbortController();
    const upload = client.call("keep", { name: "half" }, {
      attachment: noise(2_000_000),
      signal: stop.signal,
      progress: (sent) => sent > 500_000 && stop.abort(),
    });
    try {
      await upload;
      throw new Error("it went through");
    } catch (error) {
      equal(error.name, "AbortError");
    }
    equal(await client.call("add", { a: 4, b: 4 }), { sum: 8 });
    equal(await code(client.download("fetch", { name: "half" })), "not_found");
    equal(sockets.length, before);
  },
  async "what a room says is pushed, and what was missed follows a break"() {
    const ann = connect({
      open: async (call) => {
        ann.joined("lobby", await call("enter", { room: "lobby", after: ann.position("lobby") }));
      },
    });
    await ann.call("add", { a: 0, b: 0 });
    const first = pushes(ann, "said", 2);
    await client.call("say", { room: "lobby", text: "one" });
    await client.call("say", { room: "lobby", text: "two" });
    equal((await first).map(({ data, room }) => [room, data.text]), [["lobby", "one"], ["lobby", "two"]]);
    const missed = pushes(ann, "said", 3);
    sockets.at(-1).close();
    for (const text of ["three", "four", "five"]) await client.call("say", { room: "lobby", text });
    const seqs = (await missed).map(({ seq }) => seq);
    equal(seqs, [seqs[0], seqs[0] + 1, seqs[0] + 2]);
    equal(seqs[0], (await first)[1].seq + 1);
    ann.close();
  },
  async "what was forgotten is told by one gap"() {
    const bob = connect();
    bob.setPosition("lobby", { epoch: "0000000000000000", seq: 7 });
    const gap = new Promise((resolve) => bob.addEventListener("gap", ({ detail }) => resolve(detail), { once: true }));
    await bob.call("enter", { room: "lobby", after: bob.position("lobby") });
    const { room, gap: told } = await gap;
    equal([room, told.missed], ["lobby", null]);
    bob.close();
  },
  async "a push to one alone has no room"() {
    const pushed = pushes(client, "tick", 3);
    await client.call("tick", { times: 3 });
    equal((await pushed).map(({ data, room }) => [data, room ?? null]), [[0, null], [1, null], [2, null]]);
  },
  async "text is answered on the same path"() {
    const socket = new WebSocket(new URL("/socket", location.href.replace(/^http/, "ws")));
    const answers = [];
    await new Promise((resolve) => (socket.onopen = resolve));
    const all = new Promise((resolve) => {
      socket.onmessage = ({ data }) => answers.push(JSON.parse(data)) === 2 && resolve();
    });
    socket.send(JSON.stringify({ id: 1, type: "add", a: 1, b: 2 }));
    socket.send(JSON.stringify({ id: "x", type: "refuse" }));
    await all;
    answers.sort((one, other) => String(one.id).localeCompare(String(other.id)));
    equal(answers[0], { id: 1, reply: { sum: 3 } });
    equal([answers[1].id, answers[1].error.code], ["x", "too_late"]);
    socket.close();
  },
};

const done = { passed: [], failed: [] };
for (const [name, test] of Object.entries(tests)) {
  try {
    await Promise.race([
      test(),
      new Promise((_, reject) => setTimeout(() => reject(new Error("it takes too long")), 20_000)),
    ]);
    done.passed.push(name);
  } catch (error) {
    done.failed.push(`${name}: ${error.stack ?? error}`);
  }
}
client.close();
window.done = done;
