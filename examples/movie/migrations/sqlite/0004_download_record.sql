CREATE TABLE "download_record" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "user_id" BIGINT NOT NULL REFERENCES "user" ("id"),
    "movie_id" BIGINT NOT NULL REFERENCES "movie" ("id"),
    -- The name as it was.
    "movie_name" TEXT NOT NULL,
    "price" INTEGER NOT NULL,
    "download_time" TEXT NOT NULL,
    "completed" BOOLEAN NOT NULL DEFAULT 0
);
CREATE INDEX "download_record_user_movie" ON "download_record" ("user_id", "movie_id");
