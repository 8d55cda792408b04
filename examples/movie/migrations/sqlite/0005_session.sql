-- Sessions that outlive their connection, by the SHA-256 of their id.
CREATE TABLE "session" (
    "key" TEXT PRIMARY KEY NOT NULL,
    "subject" TEXT NOT NULL,
    "created" TEXT NOT NULL,
    "touched" TEXT NOT NULL,
    "idle_seconds" BIGINT NOT NULL,
    "absolute_seconds" BIGINT NOT NULL,
    "expires" TEXT NOT NULL
);
CREATE INDEX "session_subject" ON "session" ("subject");
CREATE INDEX "session_expires" ON "session" ("expires");
