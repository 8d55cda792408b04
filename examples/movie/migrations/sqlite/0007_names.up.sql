-- The names that the models give, so that later migrations find what they change.
DROP INDEX "movie_file_md5";
CREATE INDEX "movie_file_md5_idx" ON "movie" ("file_md5");
DROP INDEX "movie_user_id";
CREATE INDEX "movie_user_id_idx" ON "movie" ("user_id");
DROP INDEX "download_record_user_movie";
CREATE INDEX "download_record_user_id_movie_id_idx" ON "download_record" ("user_id", "movie_id");
DROP INDEX "session_subject";
CREATE INDEX "session_subject_idx" ON "session" ("subject");
DROP INDEX "session_expires";
CREATE INDEX "session_expires_idx" ON "session" ("expires");
