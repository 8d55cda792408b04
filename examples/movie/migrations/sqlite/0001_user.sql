CREATE TABLE "user" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    "name" TEXT NOT NULL UNIQUE,
    "password" TEXT NOT NULL,
    "user_type" TEXT NOT NULL CHECK ("user_type" IN ('admin', 'user')),
    "is_locked" BOOLEAN NOT NULL DEFAULT 0,
    "is_vip" BOOLEAN NOT NULL DEFAULT 0,
    "register_time" TEXT NOT NULL
);
