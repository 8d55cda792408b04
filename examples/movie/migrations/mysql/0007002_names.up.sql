ALTER TABLE `movie`
    DROP FOREIGN KEY `movie_ibfk_1`,
    RENAME INDEX `movie_file_md5` TO `movie_file_md5_idx`,
    RENAME INDEX `movie_user_id` TO `movie_user_id_idx`,
    MODIFY COLUMN `file_size` BIGINT NOT NULL,
    ADD CONSTRAINT `movie_file_size_check` CHECK (file_size >= 0),
    ADD CONSTRAINT `movie_user_id_fkey` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`);
