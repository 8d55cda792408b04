CREATE TABLE `session` (
    `key` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL PRIMARY KEY,
    `subject` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL,
    `created` DATETIME(6) NOT NULL,
    `touched` DATETIME(6) NOT NULL,
    `idle_seconds` BIGINT NOT NULL,
    `absolute_seconds` BIGINT NOT NULL,
    `expires` DATETIME(6) NOT NULL,
    INDEX `session_subject_idx` (`subject`),
    INDEX `session_expires_idx` (`expires`)
) DEFAULT CHARACTER SET utf8mb4;
