// Packetboat for browsers: many requests, pushes and files both ways on one WebSocket. One file, no build step.
//
//     import { Client } from "./packetboat.js";
//     const client = new Client("/socket");
//     const { session } = await client.call("login", { name: "ann", password: "secret" });
//     client.session = session;
//     client.on("said", ({ data, room }) => console.log(room, data.text));
//     await client.call("upload", { name: file.name }, { attachment: file, progress: (sent, size) => {} });
//     const { body } = await client.download("fetch", { name: "film.mp4" }, { resume: true });
//     const film = await body.blob();
//
// It speaks the native wire, of which WIRE.md says every byte, in binary messages. Node 22 and later has what it needs.

const PREFACE = [0xb0, 0xa7, 0xb0, 0xa7];
const [MESSAGE, REPLY, ERROR, PUSH, DATA, END, CREDIT, CANCEL, PING, GOING_AWAY] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const [EXTENDED, ATTACHMENT, RESUMABLE, ABORTED, ANSWER] = [1, 2, 4, 8, 16];
const [DEADLINE, SIZE, OFFSET, DIGEST, KEY, NAME] = [1, 2, 3, 4, 5, 6];
const JSON_CODEC = 1;
const CODES = {
  0: "none", 1: "unsupported_version", 2: "unknown_kind", 3: "bad_flags", 4: "bad_field", 5: "bad_length",
  6: "bad_extension", 7: "bad_id", 8: "unexpected_frame", 9: "too_many_requests", 10: "credit_exceeded",
  11: "credit_overflow", 12: "wrong_size", 13: "frame_too_large", 14: "flood", 15: "timeout", 16: "connection_internal",
  64: "application", 65: "cancelled", 66: "deadline_exceeded", 67: "going_away", 68: "unsupported_codec",
  69: "message_too_large", 70: "attachment_too_large", 71: "unknown_type", 72: "bad_message", 73: "digest_mismatch",
  74: "source_failed", 75: "not_wanted", 76: "too_slow", 77: "overloaded", 78: "internal",
};
const NUMBERS = Object.fromEntries(Object.entries(CODES).map(([number, name]) => [name, Number(number)]));
// What was refused by one of these was not begun: it can be sent again whatever it does.
const NOT_BEGUN = new Set(["going_away", "unsupported_codec", "message_too_large", "unknown_type", "overloaded"]);
// Those of them that may go better elsewhere or later.
const PASSING = new Set(["going_away", "overloaded"]);

// A longer payload than this no frame has: a message of 16 MiB, and its extension block.
const MAX_LENGTH = 16 * 1024 * 1024 + 1026;
// Bytes in a DATA frame that goes out, so that other frames get between.
const SLICE = 48 * 1024;
// Bytes in a message of the WebSocket: before the login a server need not take more than 64 KiB.
const PIECE = 56 * 1024;
// Bytes that the browser may hold before more is given to it.
const MAX_BUFFERED = 1024 * 1024;
// Bytes of an attachment that the server may send before they are read.
const WINDOW = 1024 * 1024;

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true });

/** Why a call, or an attachment, came to nothing. */
export class PacketboatError extends Error {
  /**
   * @param {string} code a stable word: the application's own, one of WIRE.md's, `lost` (the connection broke, and it
   *   is not known whether the request was done), `timeout`, `too_many` or `closed`
   * @param {string} [message] words for people
   * @param {object} [more] `notBegun`: whether the server has not begun it; `cause`
   */
  constructor(code, message = code, { notBegun = NOT_BEGUN.has(code), cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "PacketboatError";
    this.code = code;
    this.notBegun = notBegun;
  }
}

/** The number of a type on the wire: FNV-1a over its name, 1 in place of 0. */
export function typeNumber(name) {
  let hash = 0x811c9dc5;
  for (const byte of utf8.encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0 || 1;
}

/** 16 random bytes, by which a request that is sent twice counts once. */
export function idempotencyKey() {
  return crypto.getRandomValues(new Uint8Array(16));
}

// ---- Frames -------------------------------------------------------------------------------------------------------

function u32(value) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function u64(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function join(parts, length = parts.reduce((sum, part) => sum + part.length, 0)) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A frame's bytes. `fields` are pairs of number and bytes, in rising order. */
function frame(kind, { flags = 0, codec = 0, id = 0, type = 0, fields = [], payload = new Uint8Array(0) } = {}) {
  const block = fields.flatMap(([number, bytes]) => [Uint8Array.of(number, bytes.length), bytes]);
  const blockLength = block.reduce((sum, part) => sum + part.length, 0);
  const extension = fields.length ? 2 + blockLength : 0;
  const bytes = new Uint8Array(16 + extension + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = kind;
  bytes[1] = flags | (fields.length ? EXTENDED : 0);
  view.setUint16(2, codec);
  view.setUint32(4, extension + payload.length);
  view.setUint32(8, id);
  view.setUint32(12, type);
  if (fields.length) {
    view.setUint16(16, blockLength);
    bytes.set(join(block), 18);
  }
  bytes.set(payload, 16 + extension);
  return bytes;
}

/** Takes frames out of a stream of bytes that may be cut anywhere. */
class Frames {
  #chunks = [];
  #have = 0;
  #need = 8;
  #begun = false;

  /** The server's preface, as `{ preface }`, and then frames. */
  *feed(bytes) {
    this.#chunks.push(bytes);
    this.#have += bytes.length;
    while (this.#have >= this.#need) {
      let whole = join(this.#chunks, this.#have);
      let at = 0;
      for (;;) {
        const rest = whole.subarray(at);
        this.#need = this.#begun ? this.#length(rest) : 8;
        if (rest.length < this.#need) break;
        const taken = rest.subarray(0, this.#need);
        at += this.#need;
        if (this.#begun) {
          yield this.#parse(taken);
        } else {
          this.#begun = true;
          yield { preface: taken };
        }
      }
      whole = whole.subarray(at);
      this.#chunks = whole.length ? [whole] : [];
      this.#have = whole.length;
    }
  }

  #length(bytes) {
    if (bytes.length < 16) return 16;
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
    if (length > MAX_LENGTH) throw new PacketboatError("frame_too_large");
    return 16 + length;
  }

  #parse(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const [kind, flags] = bytes;
    const fields = new Map();
    let at = 16;
    if (flags & EXTENDED) {
      if (bytes.length < 18) throw new PacketboatError("bad_extension");
      const end = 18 + view.getUint16(16);
      for (at = 18; at < end; ) {
        const [number, length] = [bytes[at], bytes[at + 1]];
        if (at + 2 > end || at + 2 + length > end || end > bytes.length) throw new PacketboatError("bad_extension");
        fields.set(number, bytes.subarray(at + 2, at + 2 + length));
        at += 2 + length;
      }
    }
    const id = view.getUint32(8);
    return { kind, flags, id, type: view.getUint32(12), fields, payload: bytes.subarray(at) };
  }
}

function number64(bytes) {
  return bytes && Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0));
}

function hex(bytes) {
  return bytes && Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function codeOf(number) {
  return CODES[number] ?? (number < 64 ? "connection_internal" : "internal");
}

// ---- Attachments --------------------------------------------------------------------------------------------------

/** What an attachment that goes out is read from: slices by need, and its size where it is known. */
class Source {
  constructor(from) {
    if (typeof from === "string") from = utf8.encode(from);
    if (from instanceof ArrayBuffer) from = new Uint8Array(from);
    else if (ArrayBuffer.isView(from)) from = new Uint8Array(from.buffer, from.byteOffset, from.byteLength);
    this.from = from;
    this.size = from instanceof Blob ? from.size : from instanceof Uint8Array ? from.length : undefined;
    this.name = from instanceof Blob && from.name ? from.name : undefined;
    if (this.size === undefined && typeof from?.getReader !== "function") {
      throw new TypeError("an attachment is a Blob, a File, bytes, a string or a ReadableStream");
    }
    this.at = 0;
    this.rest = new Uint8Array(0);
  }

  /** Whether it can be read from its beginning again. */
  get again() {
    return this.size !== undefined;
  }

  /** The next bytes, at most so many; nothing at the end. */
  async read(max) {
    if (this.size !== undefined) {
      const slice = this.from.slice(this.at, this.at + max);
      const bytes = slice instanceof Blob ? new Uint8Array(await slice.arrayBuffer()) : slice;
      this.at += bytes.length;
      return bytes;
    }
    this.reader ??= this.from.getReader();
    while (!this.rest.length) {
      const { done, value } = await this.reader.read();
      if (done) return this.rest;
      this.rest = value;
    }
    const bytes = this.rest.subarray(0, max);
    this.rest = this.rest.subarray(bytes.length);
    return bytes;
  }

  stop(why) {
    this.reader?.cancel(why).catch(() => {});
  }
}

/** An attachment that comes with a reply. Read it or `cancel()` it: until then it holds its place. */
export class Attachment {
  #exchange;
  #stream;

  constructor(exchange, { size, name, digest, offset }) {
    this.#exchange = exchange;
    /** Bytes, where that is known. */
    this.size = size;
    /** What the server calls it; never a path. */
    this.name = name;
    /** BLAKE3 of the whole in hexadecimal, where the server states it. It is not verified: browsers have no BLAKE3. */
    this.digest = digest;
    /** Where in the whole it begins. */
    this.offset = offset;
  }

  /** Its bytes as they come. */
  get stream() {
    this.#stream ??= new ReadableStream(
      {
        pull: async (controller) => {
          const bytes = await this.#exchange.read();
          if (bytes) controller.enqueue(bytes);
          else controller.close();
        },
        cancel: () => this.#exchange.cancel("not_wanted"),
      },
      { highWaterMark: 0 },
    );
    return this.#stream;
  }

  /** All of it, if it is not more than `max` bytes (256 MiB by default). */
  async blob({ max = 256 * 1024 * 1024, type = "" } = {}) {
    const parts = [];
    let length = 0;
    const reader = this.stream.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return new Blob(parts, { type });
      length += value.length;
      if (length > max) {
        await reader.cancel();
        throw new PacketboatError("attachment_too_large", `the attachment has more than ${max} bytes`);
      }
      parts.push(value);
    }
  }

  /** All of it as bytes, if it is not more than `max` (256 MiB by default). */
  async bytes(options) {
    return new Uint8Array(await (await this.blob(options)).arrayBuffer());
  }

  /** It is not wanted. */
  cancel() {
    return this.#stream && !this.#stream.locked ? this.#stream.cancel() : this.#exchange.cancel("not_wanted");
  }
}

// ---- A request and all that belongs to it ---------------------------------------------------------------------------

class Exchange {
  credit = 0;
  #wake = () => {};
  #chunks = [];
  #wanted;
  // Bytes that were read and for which no new credit was given, and credit that was given in all.
  #owed = 0;
  #got = 0;
  #failed;
  #over = false;

  constructor(connection, type, message, options) {
    this.connection = connection;
    this.type = type;
    this.options = options;
    this.source = options.attachment === undefined ? undefined : new Source(options.attachment);
    // Here, where what cannot be serialised holds no place yet.
    this.payload = this.#serialised(message);
    this.sending = this.source !== undefined;
    this.answered = false;
    this.receiving = false;
    this.cancelled = false;
    this.done = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.done.catch(() => {});
  }

  #serialised(given) {
    const { session, sizeField = "file_size" } = this.options;
    const { size } = this.source ?? {};
    const message = { ...(session ? { session } : {}), ...given };
    if (size !== undefined && sizeField && !(sizeField in message)) message[sizeField] = size;
    return utf8.encode(JSON.stringify(message));
  }

  /** Sends the message, and the attachment as credit allows. */
  start(id) {
    this.id = id;
    const { deadline, key, name = this.source?.name } = this.options;
    const { size } = this.source ?? {};
    const fields = [];
    if (deadline !== undefined) fields.push([DEADLINE, u32(Math.max(1, Math.min(deadline - Date.now(), 0xffffffff)))]);
    if (size !== undefined) fields.push([SIZE, u64(size)]);
    if (key) fields.push([KEY, key]);
    const called = this.source && name ? utf8.encode(name) : undefined;
    if (called?.length && called.length <= 255) fields.push([NAME, called]);
    const { payload } = this;
    this.payload = undefined;
    const flags = this.source ? ATTACHMENT : 0;
    this.connection.send(frame(MESSAGE, { flags, codec: JSON_CODEC, id, type: typeNumber(this.type), fields, payload }));
    if (this.source) this.#upload();
  }

  async #upload() {
    let code;
    try {
      for (;;) {
        if (this.aborted) {
          code = this.aborted;
          break;
        }
        if (this.source.at === this.source.size) break;
        if (!this.credit) {
          await new Promise((resolve) => (this.#wake = resolve));
          continue;
        }
        const bytes = await this.source.read(Math.min(this.credit, SLICE));
        // It may have been cancelled, or the request be over, while this waited: here, and for the browser.
        if (this.aborted) continue;
        if (!bytes.length) {
          if (this.source.size !== undefined) throw new Error("the file has become shorter");
          break;
        }
        if (!(await this.connection.drained())) return;
        if (this.aborted) continue;
        this.credit -= bytes.length;
        this.connection.send(frame(DATA, { id: this.id, payload: bytes }));
        this.sent = (this.sent ?? 0) + bytes.length;
        this.options.progress?.(this.sent, this.source.size);
      }
    } catch (cause) {
      code = "source_failed";
      this.fail(new PacketboatError("source_failed", "what was to be sent could not be read", { cause }));
    }
    const end = code ? { flags: ABORTED, type: NUMBERS[code] } : {};
    this.connection.send(frame(END, { id: this.id, ...end }));
    if (code) this.source.stop(code);
    this.sending = false;
    this.sentAt = Date.now();
    if (this.cancelled && !this.told) this.#tell();
    this.connection.settle(this);
  }

  /** Breaks off what goes out, also where it waits for its source. */
  abort(code) {
    this.aborted ??= code;
    this.source?.stop(code);
    this.#wake();
  }

  addCredit(bytes) {
    this.credit += bytes;
    this.#wake();
  }

  /** Nothing more is wanted of it. It is in flight until the server has answered. */
  async cancel(code) {
    if (this.cancelled || this.#over) return;
    this.cancelled = true;
    this.#chunks = [];
    this.reason = code;
    // One's own attachment is ended before the CANCEL.
    if (this.sending) this.abort(code);
    else this.#tell();
  }

  #tell() {
    this.told = true;
    if (!this.answered || this.receiving) this.connection.send(frame(CANCEL, { id: this.id, type: NUMBERS[this.reason] }));
  }

  /** What the caller gets instead of an answer. What still comes is thrown away. */
  fail(error) {
    this.#failed ??= error;
    this.reject(error);
    this.#wanted?.();
  }

  /** The connection is gone. */
  lost(error) {
    this.source?.stop(error);
    this.abort("going_away");
    this.#over = true;
    this.fail(error);
  }

  onReply(reply) {
    const { flags, fields, payload } = reply;
    this.answered = true;
    let body;
    if (flags & ATTACHMENT) {
      this.receiving = true;
      this.expected = number64(fields.get(SIZE));
      const name = fields.get(NAME);
      body = new Attachment(this, {
        size: this.expected,
        offset: number64(fields.get(OFFSET)) ?? 0,
        digest: hex(fields.get(DIGEST)),
        name: name && text.decode(name),
      });
      body.resumable = Boolean(flags & RESUMABLE);
    }
    const value = JSON.parse(text.decode(payload));
    this.resolve({ reply: value, body });
    // Whoever asked has been told that the upload failed, and reads nothing.
    if (body && this.#failed) this.cancel("not_wanted");
  }

  onError({ type, payload }) {
    this.answered = true;
    let code = codeOf(type);
    let words;
    if (payload.length) {
      const said = JSON.parse(text.decode(payload));
      if (type === NUMBERS.application || said.code) code = said.code;
      words = said.msg;
    }
    this.fail(new PacketboatError(code, words, { notBegun: NOT_BEGUN.has(codeOf(type)) }));
    if (this.sending) this.abort("not_wanted");
  }

  onData(bytes) {
    this.#got += bytes.length;
    if (this.expected !== undefined && this.#got > this.expected) throw new PacketboatError("wrong_size");
    if (this.cancelled || this.#failed) return;
    // A copy: else a short rest would keep alive the whole message that it came in.
    this.#chunks.push(bytes.slice());
    this.#wanted?.();
  }

  onEnd({ flags, type }) {
    if (flags & ABORTED) {
      if (!this.cancelled) this.fail(new PacketboatError(codeOf(type), "the server broke off the attachment"));
    } else if (this.expected !== undefined && this.#got !== this.expected) {
      throw new PacketboatError("wrong_size");
    }
    this.receiving = false;
    this.#over = true;
    this.#wanted?.();
  }

  /** Where the attachment is to begin: said with the first credit. */
  from(offset) {
    this.offset = offset;
    if (this.expected !== undefined) this.expected -= offset;
  }

  /** The next bytes of the reply's attachment; nothing at its end. */
  async read() {
    if (!this.granted && this.receiving) {
      this.granted = true;
      const fields = this.offset ? [[OFFSET, u64(this.offset)]] : [];
      this.connection.send(frame(CREDIT, { id: this.id, type: WINDOW, fields }));
    }
    while (!this.#chunks.length) {
      if (this.#failed) throw this.#failed;
      if (this.#over || this.cancelled) return undefined;
      await new Promise((resolve) => (this.#wanted = resolve));
    }
    const bytes = this.#chunks.shift();
    this.#owed += bytes.length;
    if (this.#owed >= WINDOW / 2 && this.receiving) {
      this.connection.send(frame(CREDIT, { id: this.id, type: this.#owed }));
      this.#owed = 0;
    }
    return bytes;
  }

  get isOver() {
    return this.answered && !this.sending && !this.receiving;
  }
}

// ---- One connection -------------------------------------------------------------------------------------------------

class Connection {
  #socket;
  #frames = new Frames();
  #exchanges = new Map();
  #waiting = [];
  #lastId = 0;
  #limit = 1;
  #heard = Date.now();
  #pinged;
  #timer;
  leaving = false;

  constructor(url, client) {
    this.client = client;
    const { WebSocket = globalThis.WebSocket, protocols } = client.options;
    this.#socket = new WebSocket(url, protocols);
    this.#socket.binaryType = "arraybuffer";
    this.closed = new Promise((resolve) => (this.onclosed = resolve));
    this.opened = new Promise((resolve) => {
      this.#socket.onopen = () => {
        this.#heard = Date.now();
        this.send(Uint8Array.of(...PREFACE, 1, 1, 0, 0));
        this.#timer = setInterval(() => this.#tick(), 1000);
        resolve(true);
      };
      this.closed.then(() => resolve(false));
    });
    this.#socket.onmessage = ({ data }) => this.#feed(data);
    this.#socket.onclose = ({ code, reason }) => {
      this.#gone(new PacketboatError("lost", `the connection was lost (${reason || code})`));
    };
    this.#socket.onerror = () => {};
  }

  send(bytes) {
    if (this.#socket.readyState !== 1) return;
    for (let at = 0; at < bytes.length; at += PIECE) this.#socket.send(bytes.subarray(at, at + PIECE));
  }

  /** Waits until the browser has little left to send; gives whether the connection is there. */
  async drained() {
    while (this.#socket.readyState === 1 && this.#socket.bufferedAmount > MAX_BUFFERED) {
      // There is no event for it.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#socket.readyState === 1;
  }

  /** Begins a request, as soon as the server takes one more. */
  begin(type, message, options) {
    const exchange = new Exchange(this, type, message, options);
    if (this.isGone || this.leaving) {
      exchange.lost(new PacketboatError("going_away", "the connection is about to end"));
      return exchange;
    }
    this.#waiting.push(exchange);
    this.#advance();
    return exchange;
  }

  /** Takes a request back that has not gone out. */
  withdraw(exchange) {
    const at = this.#waiting.indexOf(exchange);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  #advance() {
    while (this.#waiting.length && this.#exchanges.size < this.#limit && !this.leaving) {
      const exchange = this.#waiting.shift();
      this.#lastId = (this.#lastId + 1) >>> 0 || 1;
      this.#exchanges.set(this.#lastId, exchange);
      exchange.start(this.#lastId);
    }
  }

  settle(exchange) {
    if (!exchange.isOver || !this.#exchanges.delete(exchange.id)) return;
    this.#advance();
    if (this.leaving && !this.#exchanges.size) this.close();
  }

  #feed(data) {
    this.#heard = Date.now();
    this.#pinged = undefined;
    try {
      if (typeof data === "string") throw new PacketboatError("unexpected_frame", "a text message");
      for (const frame of this.#frames.feed(new Uint8Array(data))) this.#take(frame);
    } catch (error) {
      const code = error instanceof PacketboatError && error.code in NUMBERS ? error.code : "connection_internal";
      this.send(frame(GOING_AWAY, { type: NUMBERS[code] < 64 ? NUMBERS[code] : NUMBERS.connection_internal }));
      this.close(new PacketboatError("lost", `the server broke a rule: ${error.message}`, { cause: error }));
    }
  }

  #take(taken) {
    if (taken.preface) {
      if (PREFACE.some((byte, at) => taken.preface[at] !== byte)) throw new PacketboatError("unexpected_frame");
      if (taken.preface[4] !== 1) return this.close(new PacketboatError("unsupported_version"));
      this.#limit = (taken.preface[6] << 8) | taken.preface[7];
      return this.#advance();
    }
    const { kind, flags, id, type, payload } = taken;
    const exchange = this.#exchanges.get(id);
    switch (kind) {
      case PUSH:
        return this.client.pushed(JSON.parse(text.decode(payload)));
      case PING:
        if (!(flags & ANSWER)) this.send(frame(PING, { flags: ANSWER, type }));
        return;
      case GOING_AWAY:
        return this.#away(id, type);
      case CREDIT:
        return exchange?.addCredit(type);
      case CANCEL:
        return exchange?.abort(codeOf(type));
    }
    if (!exchange) throw new PacketboatError("bad_id");
    if (kind === REPLY) exchange.onReply(taken);
    else if (kind === ERROR) exchange.onError(taken);
    else if (kind === DATA) exchange.onData(payload);
    else if (kind === END) exchange.onEnd(taken);
    else throw new PacketboatError("unknown_kind");
    this.settle(exchange);
  }

  #away(last, number) {
    this.leaving = true;
    const code = codeOf(number);
    for (const exchange of this.#waiting.splice(0)) exchange.lost(new PacketboatError("going_away"));
    if (code !== "none") {
      // Requests above the last one were not begun.
      for (const [id, exchange] of this.#exchanges) {
        if (((id - last) | 0) > 0) exchange.lost(new PacketboatError("going_away"));
      }
      return this.close(new PacketboatError("lost", `the server ended the connection: ${code}`));
    }
    this.client.left(this);
    if (!this.#exchanges.size) this.close();
  }

  #tick() {
    const { pingAfter = 20_000, pingTime = 10_000 } = this.client.options;
    const now = Date.now();
    if (this.#pinged !== undefined) {
      if (now - this.#pinged > pingTime) this.close(new PacketboatError("lost", "the server is silent"));
    } else if (now - this.#heard > pingAfter) {
      this.#pinged = now;
      this.send(frame(PING));
    }
  }

  close(error = new PacketboatError("lost", "the connection was closed")) {
    this.#socket.close(1000);
    this.#gone(error);
  }

  #gone(error) {
    if (this.isGone) return;
    this.isGone = true;
    clearInterval(this.#timer);
    for (const exchange of this.#waiting.splice(0)) {
      exchange.lost(new PacketboatError(error.code, error.message, { notBegun: true }));
    }
    for (const exchange of this.#exchanges.values()) exchange.lost(error);
    this.#exchanges.clear();
    this.onclosed(error);
  }
}

// ---- The client -----------------------------------------------------------------------------------------------------

/**
 * A client that connects, and connects again.
 *
 * Its events: `state` (see `state`), `gap` (`event.detail` is the notice of what a room has lost).
 */
export class Client extends EventTarget {
  #url;
  #connection;
  #handlers = new Map();
  #positions = new Map();
  #attempts = 0;
  #ready = [];
  #state = "connecting";
  #sleeping;
  #online = () => this.#sleeping?.();

  /**
   * @param {string | URL} url `/socket` on the page's own host, or `ws:` or `wss:` and all
   * @param {object} [options]
   *   `open`: an async function that every new connection begins with, given a `call` of its own: to log in, and to
   *     join rooms from `client.position(room)`, with what that answers for `client.joined`. If the server refuses there,
   *     the client is closed.
   *   `session`: goes into every message.
   *   `timeout`: milliseconds for a call, waiting for a connection included; 30,000 by default.
   *   `first`, `most`: the wait before the second try to connect, and the longest, in milliseconds; 250 and 15,000.
   *     Each is a random part of it, so that a server that comes back is not met by all at once. They grow until a
   *     connection has been open for the longest.
   *   `pingAfter`, `pingTime`: silence after which it asks whether the server is there, and how long it waits.
   *   `maxWaiting`: how many calls may wait for a connection; 1,000.
   *   `WebSocket`: another class than the global one.
   */
  constructor(url, options = {}) {
    super();
    const base = globalThis.location?.href;
    this.#url = new URL(url, base && base.replace(/^http/, "ws"));
    this.#url.protocol = this.#url.protocol.replace(/^http/, "ws");
    this.options = options;
    /** Goes into every message, until it is null. */
    this.session = options.session ?? null;
    globalThis.addEventListener?.("online", this.#online);
    this.#run();
  }

  /** `connecting`, `open`, `waiting` (until it tries again) or `closed`. */
  get state() {
    return this.#state;
  }

  /** Sends a message and gives its reply. An attachment that comes with it is not read. */
  async call(type, message = {}, options = {}) {
    const { reply, body } = await this.#ask(type, message, options);
    if (body) await body.cancel();
    return reply;
  }

  /**
   * Sends a message and gives `{ reply, body }`; `body` is undefined where no attachment comes.
   *
   * With `resume` it goes on where it was when the connection is lost, by sending the message again: only what is safe
   * to ask twice. The server must state the same digest then, or size where it states none.
   */
  async download(type, message = {}, options = {}) {
    const first = await this.#ask(type, message, options);
    if (!options.resume || !first.body?.resumable) return first;
    return { reply: first.reply, body: this.#resuming(first, type, message, options) };
  }

  #resuming({ body }, type, message, options) {
    const { size, digest, offset } = body;
    let reader = body.stream.getReader();
    let got = 0;
    let isCancelled = false;
    const again = async () => {
      const asked = await this.#ask(type, message, { ...options, safe: true, attachment: undefined });
      const next = asked.body;
      if (isCancelled) return next?.cancel();
      const isSame = next?.resumable && next.digest === digest && next.size === size && next.offset === offset;
      if (!isSame || (digest === undefined && size === undefined)) {
        await next?.cancel();
        throw new PacketboatError("changed", "it is not the same any more");
      }
      asked.exchange.from(offset + got);
      reader = next.stream.getReader();
    };
    const pipe = {
      read: async () => {
        for (;;) {
          try {
            const { done, value } = await reader.read();
            if (done) return undefined;
            got += value.length;
            return value;
          } catch (error) {
            if (isCancelled) return undefined;
            if (error.code !== "lost" && error.code !== "going_away") throw error;
            await again();
          }
        }
      },
      cancel: () => {
        isCancelled = true;
        // There is nothing to cancel where the connection was lost.
        return reader.cancel().catch(() => {});
      },
    };
    return new Attachment(pipe, body);
  }

  /** Calls `handler` with every push of this type: `{ type, room, epoch, seq, data }`. Gives what takes it off. */
  on(type, handler) {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  /** Where a room was read up to: join with it, and what came since follows. */
  position(room) {
    return this.#positions.get(room) ?? null;
  }

  /**
   * Takes the position that a join has answered, where none is known yet. That is where the room is by now: what was
   * missed comes behind a join from `position(room)` and has lower numbers, and a push may be faster than the answer.
   */
  joined(room, position) {
    if (!this.#positions.has(room)) this.setPosition(room, position);
  }

  /**
   * Sets it, to what a page has stored say; null forgets it. A push up to it is taken for one that came twice: see
   * `joined` for what a join answers.
   */
  setPosition(room, position) {
    if (position) this.#positions.set(room, { epoch: position.epoch, seq: position.seq });
    else this.#positions.delete(room);
  }

  /** Ends it. What is in flight is lost. */
  close() {
    this.#end(new PacketboatError("closed", "the client is closed"));
  }

  #end(error) {
    if (this.#state === "closed") return;
    this.error = error;
    globalThis.removeEventListener?.("online", this.#online);
    this.#become("closed");
    this.#sleeping?.();
    this.#connection?.close(error);
    this.#wake();
  }

  #become(state) {
    this.#state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  #wake() {
    for (const ready of this.#ready.splice(0)) ready();
  }

  async #run() {
    const { first = 250, most = 15_000, open } = this.options;
    while (this.#state !== "closed") {
      if (this.#attempts) {
        this.#become("waiting");
        const wait = Math.random() * Math.min(most, first * 2 ** (this.#attempts - 1));
        await new Promise((resolve) => {
          this.#sleeping = resolve;
          setTimeout(resolve, wait);
        });
        this.#sleeping = undefined;
        if (this.#state === "closed") return;
        this.#become("connecting");
      }
      this.#attempts += 1;
      let openSince = Infinity;
      const connection = new Connection(this.#url, this);
      this.#connection = connection;
      if (await connection.opened) {
        try {
          await open?.((type, message, options) => this.#on(connection, type, message, options ?? {}).then(({ reply }) => reply));
        } catch (error) {
          // Whether it was the connection: then there will be another.
          if (error.code !== "lost" && error.code !== "going_away" && error.code !== "timeout") return this.#end(error);
          connection.close();
        }
        if (!connection.isGone && !connection.leaving && this.#state !== "closed") {
          openSince = Date.now();
          this.#become("open");
          this.#wake();
        }
      }
      await Promise.race([connection.closed, connection.left ?? (connection.left = new Promise((resolve) => (connection.onleft = resolve)))]);
      // A server that takes connections and ends them at once is as one that is away.
      if (Date.now() - openSince >= most) this.#attempts = 1;
    }
  }

  left(connection) {
    connection.onleft?.();
  }

  async #ask(type, message, options) {
    const { timeout = this.options.timeout ?? 30_000 } = options;
    const deadline = Date.now() + timeout;
    for (let tries = 1; ; tries += 1) {
      const connection = await this.#open(deadline, options.signal);
      try {
        return await this.#on(connection, type, message, { ...options, deadline });
      } catch (error) {
        const stream = options.attachment !== undefined && !new Source(options.attachment).again;
        const may = (error.notBegun && PASSING.has(error.code)) || (error.code === "lost" && (options.safe || options.key || error.notBegun));
        if (!may || stream || tries >= 5 || Date.now() >= deadline || this.#state === "closed") throw error;
        if (error.code === "overloaded") await new Promise((resolve) => setTimeout(resolve, Math.random() * 250 * 2 ** tries));
      }
    }
  }

  /** Waits until there is a connection that takes requests. */
  async #open(deadline, signal) {
    while (this.#state !== "open" || this.#connection.leaving || this.#connection.isGone) {
      if (this.#state === "closed") throw this.error;
      signal?.throwIfAborted();
      const left = deadline - Date.now();
      if (left <= 0) throw new PacketboatError("timeout", "there was no connection in time", { notBegun: true });
      if (this.#ready.length >= (this.options.maxWaiting ?? 1000)) {
        throw new PacketboatError("too_many", "too many calls wait for a connection", { notBegun: true });
      }
      await new Promise((resolve) => {
        const timer = setTimeout(ready, left);
        const waiting = this.#ready;
        function ready() {
          clearTimeout(timer);
          signal?.removeEventListener("abort", ready);
          const at = waiting.indexOf(ready);
          if (at >= 0) waiting.splice(at, 1);
          resolve();
        }
        signal?.addEventListener("abort", ready);
        waiting.push(ready);
      });
    }
    return this.#connection;
  }

  async #on(connection, type, message, options) {
    const { signal, deadline = Date.now() + (options.timeout ?? this.options.timeout ?? 30_000) } = options;
    signal?.throwIfAborted();
    const exchange = connection.begin(type, message, { session: this.session, ...options, deadline });
    const stop = (error, code) => {
      exchange.fail(error);
      if (!connection.withdraw(exchange)) exchange.cancel(code);
    };
    const aborted = () => stop(signal.reason, "cancelled");
    signal?.addEventListener("abort", aborted);
    // An upload takes its time; the server's clock for the handler stands while it waits for it.
    const wait = Math.max(0, deadline - Date.now());
    const late = () => {
      // Once all is sent, the answer has as long as that of a message without an attachment.
      const left = exchange.sending ? wait : (exchange.sentAt ?? 0) + wait - Date.now();
      if (exchange.sending || left > 0) timer = setTimeout(late, Math.min(left, 1000));
      else stop(new PacketboatError("timeout", "there was no answer in time"), "deadline_exceeded");
    };
    let timer = setTimeout(late, wait);
    try {
      return { ...(await exchange.done), exchange };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    }
  }

  /** What came unasked. */
  pushed(push) {
    const { room, epoch, seq } = push;
    if (push.gap) {
      this.setPosition(room, push);
      this.dispatchEvent(new CustomEvent("gap", { detail: push }));
      return;
    }
    if (seq !== undefined) {
      const last = this.#positions.get(room);
      if (last?.epoch === epoch && seq <= last.seq) return;
      this.#positions.set(room, { epoch, seq });
    }
    for (const handler of this.#handlers.get(push.type) ?? []) {
      try {
        handler(push);
      } catch (error) {
        // A handler's own fault must not look like one of the wire.
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }
}
