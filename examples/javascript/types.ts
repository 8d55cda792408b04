// What a program in TypeScript may write, and what it may not: `tsc --strict --noEmit types.ts`, beside the declarations
// that `movie schema --typescript --out movie.d.ts` makes.

import { Client, PacketboatError } from "./packetboat.js";
import type { Messages, Pushes } from "./movie.js";

export async function typed(file: File): Promise<void> {
  const client = new Client<Messages, Pushes>("/socket", {
    open: async (call) => {
      const login = await call("login", { name: "ann", password: "secret", user_type: "user" });
      client.session = login.session;
    },
  });
  const list = await client.call("get_movie_list", { movie_type: "all" });
  const fee: "免费" | "收费" = list.movie_list[0][1];
  await client.call("upload_movie", { file_md5: fee, is_free: true }, { attachment: file });
  const { reply, body } = await client.download("download_movie", { movie_id: list.movie_list[0][2] }, { resume: true });
  const blob: Blob | undefined = await body?.blob({ max: reply.file_size });
  if (blob === undefined) throw new PacketboatError("nothing");

  // @ts-expect-error: there is no such message
  await client.call("get_movies", {});
  // @ts-expect-error: nor such movies
  await client.call("get_movie_list", { movie_type: "some" });
  // @ts-expect-error: nor a login without a password
  await client.call("login", { name: "ann", user_type: "user" });
  // @ts-expect-error: a list has no such field
  list.movies;
  // @ts-expect-error: this server pushes nothing
  client.on("said", () => {});
}

export async function untyped(): Promise<void> {
  const client = new Client("ws://127.0.0.1:7878/");
  const sum: number = (await client.call("add", { a: 1, b: 2 })).sum;
  client.on("said", (push) => console.log(push.room, push.data.text, sum));
}
