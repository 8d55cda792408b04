-- LOSES DATA: drops table setting.
-- LOSES DATA: drops table session.
-- LOSES DATA: drops table attempt.
-- LOSES DATA: drops table correction.
-- LOSES DATA: drops table attendance.
-- LOSES DATA: drops table class.
-- LOSES DATA: drops table enrolment.
-- LOSES DATA: drops table teaching.
-- LOSES DATA: drops table course.
-- LOSES DATA: drops table account.
DROP TABLE "setting";
DROP TABLE "session";
DROP TABLE "attempt";
DROP TABLE "correction";
DROP TABLE "attendance";
DROP TABLE "class";
DROP TABLE "enrolment";
DROP TABLE "teaching";
DROP TABLE "course";
DROP TABLE "account";
