ALTER TABLE `movie`
    DROP FOREIGN KEY `movie_user_id_fkey`,
    DROP CONSTRAINT `movie_file_size_check`,
    RENAME INDEX `movie_file_md5_idx` TO `movie_file_md5`,
    RENAME INDEX `movie_user_id_idx` TO `movie_user_id`,
    MODIFY COLUMN `file_size` BIGINT NOT NULL CHECK (`file_size` >= 0),
    ADD CONSTRAINT `movie_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`);
