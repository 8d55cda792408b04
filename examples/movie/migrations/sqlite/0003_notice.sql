CREATE TABLE "notice" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "title" TEXT NOT NULL,
    "content" TEXT NOT NULL,
    "user_id" BIGINT NOT NULL REFERENCES "user" ("id"),
    "create_time" TEXT NOT NULL
);
