-- What may happen once: whoever inserts the row does it.
CREATE TABLE "claim" (
    "name" TEXT PRIMARY KEY NOT NULL,
    "claimed" TEXT NOT NULL
);
