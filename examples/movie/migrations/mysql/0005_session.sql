-- Sessions that outlive their connection, by the SHA-256 of their id.
CREATE TABLE `session` (
    `key` VARCHAR(64) PRIMARY KEY,
    `subject` VARCHAR(64) NOT NULL,
    `created` DATETIME(6) NOT NULL,
    `touched` DATETIME(6) NOT NULL,
    `idle_seconds` BIGINT NOT NULL,
    `absolute_seconds` BIGINT NOT NULL,
    `expires` DATETIME(6) NOT NULL,
    INDEX `session_subject` (`subject`),
    INDEX `session_expires` (`expires`)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
