-- Binary collations throughout: otherwise `Ann` is `ann` on this database alone.
CREATE TABLE `user` (
    `id` BIGINT AUTO_INCREMENT PRIMARY KEY,
    `name` VARCHAR(64) NOT NULL,
    `password` VARCHAR(255) NOT NULL,
    `user_type` VARCHAR(8) NOT NULL CHECK (`user_type` IN ('admin', 'user')),
    `is_locked` BOOLEAN NOT NULL DEFAULT FALSE,
    `is_vip` BOOLEAN NOT NULL DEFAULT FALSE,
    `register_time` DATETIME(6) NOT NULL,
    -- Named as PostgreSQL names it by itself.
    CONSTRAINT `user_name_key` UNIQUE (`name`)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
