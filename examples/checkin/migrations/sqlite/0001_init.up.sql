CREATE TABLE "account" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "name" TEXT NOT NULL,
    "display" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "password" TEXT,
    "invite" TEXT,
    "is_locked" BOOLEAN NOT NULL DEFAULT (0),
    "created" TEXT NOT NULL,
    CONSTRAINT "account_name_key" UNIQUE ("name"),
    CONSTRAINT "account_invite_key" UNIQUE ("invite")
);
CREATE TABLE "course" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "name" TEXT NOT NULL,
    "created" TEXT NOT NULL,
    CONSTRAINT "course_name_key" UNIQUE ("name")
);
CREATE TABLE "teaching" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "course_id" INTEGER NOT NULL,
    "account_id" INTEGER NOT NULL,
    CONSTRAINT "teaching_course_id_account_id_key" UNIQUE ("course_id", "account_id"),
    CONSTRAINT "teaching_course_id_fkey" FOREIGN KEY ("course_id") REFERENCES "course" ("id"),
    CONSTRAINT "teaching_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "account" ("id")
);
CREATE INDEX "teaching_account_id_idx" ON "teaching" ("account_id");
CREATE TABLE "enrolment" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "course_id" INTEGER NOT NULL,
    "account_id" INTEGER NOT NULL,
    CONSTRAINT "enrolment_course_id_account_id_key" UNIQUE ("course_id", "account_id"),
    CONSTRAINT "enrolment_course_id_fkey" FOREIGN KEY ("course_id") REFERENCES "course" ("id"),
    CONSTRAINT "enrolment_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "account" ("id")
);
CREATE INDEX "enrolment_account_id_idx" ON "enrolment" ("account_id");
CREATE TABLE "class" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "course_id" INTEGER NOT NULL,
    "open_course_id" INTEGER,
    "opened" TEXT NOT NULL,
    "closed" TEXT,
    "late_after" INTEGER NOT NULL,
    "secret" TEXT NOT NULL,
    "every_ms" INTEGER NOT NULL,
    "grace_ms" INTEGER NOT NULL,
    CONSTRAINT "class_open_course_id_key" UNIQUE ("open_course_id"),
    CONSTRAINT "class_course_id_fkey" FOREIGN KEY ("course_id") REFERENCES "course" ("id")
);
CREATE INDEX "class_course_id_idx" ON "class" ("course_id");
CREATE TABLE "attendance" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "class_id" INTEGER NOT NULL,
    "student_id" INTEGER NOT NULL,
    "standing" TEXT NOT NULL,
    "arrived" TEXT NOT NULL,
    "device" TEXT,
    CONSTRAINT "attendance_class_id_student_id_key" UNIQUE ("class_id", "student_id"),
    CONSTRAINT "attendance_class_id_device_key" UNIQUE ("class_id", "device"),
    CONSTRAINT "attendance_class_id_fkey" FOREIGN KEY ("class_id") REFERENCES "class" ("id"),
    CONSTRAINT "attendance_student_id_fkey" FOREIGN KEY ("student_id") REFERENCES "account" ("id")
);
CREATE INDEX "attendance_student_id_idx" ON "attendance" ("student_id");
CREATE TABLE "correction" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "class_id" INTEGER NOT NULL,
    "student_id" INTEGER NOT NULL,
    "teacher_id" INTEGER NOT NULL,
    "was" TEXT NOT NULL,
    "became" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "made" TEXT NOT NULL,
    CONSTRAINT "correction_class_id_fkey" FOREIGN KEY ("class_id") REFERENCES "class" ("id"),
    CONSTRAINT "correction_student_id_fkey" FOREIGN KEY ("student_id") REFERENCES "account" ("id"),
    CONSTRAINT "correction_teacher_id_fkey" FOREIGN KEY ("teacher_id") REFERENCES "account" ("id")
);
CREATE INDEX "correction_class_id_idx" ON "correction" ("class_id");
CREATE INDEX "correction_student_id_idx" ON "correction" ("student_id");
CREATE TABLE "attempt" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "student_id" INTEGER NOT NULL,
    "at" TEXT NOT NULL
);
CREATE INDEX "attempt_student_id_at_idx" ON "attempt" ("student_id", "at");
CREATE TABLE "session" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "subject" TEXT NOT NULL,
    "created" TEXT NOT NULL,
    "touched" TEXT NOT NULL,
    "idle_seconds" INTEGER NOT NULL,
    "absolute_seconds" INTEGER NOT NULL,
    "expires" TEXT NOT NULL
);
CREATE INDEX "session_subject_idx" ON "session" ("subject");
CREATE INDEX "session_expires_idx" ON "session" ("expires");
CREATE TABLE "setting" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL
);
