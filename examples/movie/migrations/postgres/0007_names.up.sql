-- The names that the models give, so that later migrations find what they change.
ALTER INDEX "movie_file_md5" RENAME TO "movie_file_md5_idx";
ALTER INDEX "movie_user_id" RENAME TO "movie_user_id_idx";
ALTER INDEX "download_record_user_movie" RENAME TO "download_record_user_id_movie_id_idx";
ALTER INDEX "session_subject" RENAME TO "session_subject_idx";
ALTER INDEX "session_expires" RENAME TO "session_expires_idx";
