CREATE TABLE `download_record` (
    `id` BIGINT AUTO_INCREMENT PRIMARY KEY,
    `user_id` BIGINT NOT NULL,
    `movie_id` BIGINT NOT NULL,
    -- The name as it was.
    `movie_name` VARCHAR(255) NOT NULL,
    `price` INTEGER NOT NULL,
    `download_time` DATETIME(6) NOT NULL,
    `completed` BOOLEAN NOT NULL DEFAULT FALSE,
    INDEX `download_record_user_movie` (`user_id`, `movie_id`),
    FOREIGN KEY (`user_id`) REFERENCES `user` (`id`),
    FOREIGN KEY (`movie_id`) REFERENCES `movie` (`id`)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
