ALTER TABLE `download_record`
    DROP FOREIGN KEY `download_record_user_id_fkey`,
    DROP FOREIGN KEY `download_record_movie_id_fkey`,
    RENAME INDEX `download_record_user_id_movie_id_idx` TO `download_record_user_movie`,
    ADD CONSTRAINT `download_record_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`),
    ADD CONSTRAINT `download_record_ibfk_2` FOREIGN KEY (`movie_id`) REFERENCES `movie` (`id`);
