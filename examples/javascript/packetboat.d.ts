// The types of packetboat.js. Those of a server's own messages are made by its schema (`movie schema --typescript`):
//
//     import { Client } from "./packetboat.js";
//     import type { Messages, Pushes } from "./movie.js";
//     const client = new Client<Messages, Pushes>("/socket");

/** What the schema says of one message. */
export interface Route {
  message: unknown;
  reply: unknown;
  upload: string | false;
  download: string | false;
}

/** Any message, where no schema is given. */
export type AnyMessages = Record<string, { message: any; reply: any; upload: string; download: string }>;

/** Any push, where no schema is given. */
export type AnyPushes = Record<string, any>;

/** A message as it is given to a call: the field with the attachment's size is filled in. */
export type Given<R extends Route> = R["upload"] extends keyof R["message"]
  ? Omit<R["message"], R["upload"]> & Partial<Pick<R["message"], R["upload"]>>
  : R["message"];

/** Why a call, or an attachment, came to nothing. */
export class PacketboatError extends Error {
  constructor(code: string, message?: string, more?: { notBegun?: boolean; cause?: unknown });
  /** A stable word: the application's own, one of WIRE.md's, `lost`, `timeout`, `too_many`, `changed` or `closed`. */
  code: string;
  /** The server has not begun it: it can be sent again whatever it does. */
  notBegun: boolean;
}

/** The number of a type on the wire. */
export function typeNumber(name: string): number;

/** 16 random bytes, by which a request that is sent twice counts once. */
export function idempotencyKey(): Uint8Array;

/** Where a room's stream is. */
export interface Position {
  epoch: string;
  seq: number;
}

/** What the server sent unasked. */
export interface Push<T> {
  type: string;
  room?: string;
  epoch?: string;
  seq?: number;
  data: T;
}

/** What a room has lost; `missed` is null where that is not known. */
export interface Gap extends Position {
  room: string;
  gap: { missed: number | null };
}

/** An attachment that comes with a reply. Read it or `cancel()` it. */
export class Attachment {
  private constructor();
  /** Bytes, where that is known. */
  readonly size?: number;
  /** What the server calls it. */
  readonly name?: string;
  /** BLAKE3 of the whole in hexadecimal, where it is stated. It is not verified. */
  readonly digest?: string;
  /** Where in the whole it begins. */
  readonly offset: number;
  /** Its bytes as they come. */
  readonly stream: ReadableStream<Uint8Array>;
  /** All of it, if it is not more than `max` bytes (256 MiB by default). */
  blob(options?: { max?: number; type?: string }): Promise<Blob>;
  /** All of it, if it is not more than `max` bytes (256 MiB by default). */
  bytes(options?: { max?: number }): Promise<Uint8Array>;
  cancel(): Promise<void>;
}

export interface CallOptions {
  /** Cancels it. */
  signal?: AbortSignal;
  /** Milliseconds, waiting for a connection included. */
  timeout?: number;
  /** Asking twice is as good as asking once: it is sent again after a lost connection. */
  safe?: boolean;
  /** The same for what the server counts once by it. */
  key?: Uint8Array;
  attachment?: Blob | ArrayBuffer | ArrayBufferView | string | ReadableStream<Uint8Array>;
  /** What the attachment is called; a File has a name. */
  name?: string;
  /** The field of the message into which the attachment's size goes; `file_size` by default, null for none. */
  sizeField?: string | null;
  progress?: (sent: number, size?: number) => void;
}

export interface DownloadOptions extends CallOptions {
  /** Goes on where it was when the connection is lost, by sending the message again. */
  resume?: boolean;
}

export type Call<M extends { [K in keyof M]: Route }> = <K extends keyof M & string>(
  type: K,
  message?: Given<M[K]>,
  options?: CallOptions,
) => Promise<M[K]["reply"]>;

export interface ClientOptions<M extends { [K in keyof M]: Route }> {
  /** What every new connection begins with: to log in, to join rooms. If the server refuses there, the client closes. */
  open?: (call: Call<M>) => Promise<void> | void;
  /** Goes into every message. */
  session?: string | null;
  /** Milliseconds for a call; 30,000 by default. */
  timeout?: number;
  /** Milliseconds before the second try to connect; 250 by default. */
  first?: number;
  /** The longest such wait; 15,000 by default. */
  most?: number;
  /** Milliseconds of silence after which the server is asked whether it is there; 20,000 by default. */
  pingAfter?: number;
  /** How long that waits; 10,000 by default. */
  pingTime?: number;
  /** How many calls may wait for a connection; 1,000 by default. */
  maxWaiting?: number;
  /** Subprotocols of the WebSocket. */
  protocols?: string | string[];
  /** Another class than the global one. */
  WebSocket?: new (url: string | URL, protocols?: string | string[]) => WebSocket;
}

export type State = "connecting" | "open" | "waiting" | "closed";

/** A client that connects, and connects again. Its events are `state` and `gap`. */
export class Client<
  M extends { [K in keyof M]: Route } = AnyMessages,
  P = AnyPushes,
> extends EventTarget {
  constructor(url: string | URL, options?: ClientOptions<M>);
  /** Goes into every message, until it is null. */
  session: string | null;
  /** Why it is closed. */
  error?: Error;
  readonly state: State;
  /** Sends a message and gives its reply. */
  call: Call<M>;
  /** Sends a message and gives its reply and the attachment that comes with it. */
  download<K extends keyof M & string>(
    type: K,
    message?: Given<M[K]>,
    options?: DownloadOptions,
  ): Promise<{ reply: M[K]["reply"]; body?: Attachment }>;
  /** Calls the handler with every push of this type. Gives what takes it off. */
  on<K extends keyof P & string>(type: K, handler: (push: Push<P[K]>) => void): () => void;
  /** Where a room was read up to. */
  position(room: string): Position | null;
  /** Takes the position that a join has answered, where none is known yet: what was missed comes behind the answer. */
  joined(room: string, position: Position): void;
  /** Sets it, to what a page has stored say; null forgets it. A push up to it is taken for one that came twice. */
  setPosition(room: string, position: Position | null): void;
  close(): void;
}
