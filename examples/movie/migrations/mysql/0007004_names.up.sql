ALTER TABLE `download_record`
    DROP FOREIGN KEY `download_record_ibfk_1`,
    DROP FOREIGN KEY `download_record_ibfk_2`,
    RENAME INDEX `download_record_user_movie` TO `download_record_user_id_movie_id_idx`,
    ADD CONSTRAINT `download_record_user_id_fkey` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`),
    ADD CONSTRAINT `download_record_movie_id_fkey` FOREIGN KEY (`movie_id`) REFERENCES `movie` (`id`);
