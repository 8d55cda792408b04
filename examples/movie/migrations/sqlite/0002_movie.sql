CREATE TABLE "movie" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" TEXT NOT NULL,
    "key" TEXT NOT NULL UNIQUE,
    "file_size" BIGINT NOT NULL CHECK ("file_size" >= 0),
    "file_md5" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    -- The digest while the movie is not deleted, else NULL: the index lets a deleted one come again.
    "live_digest" TEXT UNIQUE,
    "is_free" BOOLEAN NOT NULL,
    "price_vip" INTEGER NOT NULL DEFAULT 5,
    "price" INTEGER NOT NULL DEFAULT 10,
    "is_delete" BOOLEAN NOT NULL DEFAULT 0,
    "user_id" BIGINT NOT NULL REFERENCES "user" ("id"),
    "upload_time" TEXT NOT NULL
);
CREATE INDEX "movie_file_md5" ON "movie" ("file_md5");
CREATE INDEX "movie_user_id" ON "movie" ("user_id");
