CREATE TABLE `movie` (
    `id` BIGINT AUTO_INCREMENT PRIMARY KEY,
    `name` VARCHAR(255) NOT NULL,
    `key` VARCHAR(64) NOT NULL,
    `file_size` BIGINT NOT NULL CHECK (`file_size` >= 0),
    `file_md5` VARCHAR(32) NOT NULL,
    `digest` VARCHAR(64) NOT NULL,
    -- The digest while the movie is not deleted, else NULL: the index lets a deleted one come again.
    `live_digest` VARCHAR(64),
    `is_free` BOOLEAN NOT NULL,
    `price_vip` INTEGER NOT NULL DEFAULT 5,
    `price` INTEGER NOT NULL DEFAULT 10,
    `is_delete` BOOLEAN NOT NULL DEFAULT FALSE,
    `user_id` BIGINT NOT NULL,
    `upload_time` DATETIME(6) NOT NULL,
    CONSTRAINT `movie_key_key` UNIQUE (`key`),
    CONSTRAINT `movie_live_digest_key` UNIQUE (`live_digest`),
    INDEX `movie_file_md5` (`file_md5`),
    INDEX `movie_user_id` (`user_id`),
    FOREIGN KEY (`user_id`) REFERENCES `user` (`id`)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
