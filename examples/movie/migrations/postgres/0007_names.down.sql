ALTER INDEX "movie_file_md5_idx" RENAME TO "movie_file_md5";
ALTER INDEX "movie_user_id_idx" RENAME TO "movie_user_id";
ALTER INDEX "download_record_user_id_movie_id_idx" RENAME TO "download_record_user_movie";
ALTER INDEX "session_subject_idx" RENAME TO "session_subject";
ALTER INDEX "session_expires_idx" RENAME TO "session_expires";
