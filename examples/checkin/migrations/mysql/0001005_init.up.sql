CREATE TABLE `class` (
    `id` BIGINT AUTO_INCREMENT PRIMARY KEY,
    `course_id` BIGINT NOT NULL,
    `open_course_id` BIGINT,
    `opened` DATETIME(6) NOT NULL,
    `closed` DATETIME(6),
    `late_after` BIGINT NOT NULL,
    `secret` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL,
    `every_ms` BIGINT NOT NULL,
    `grace_ms` BIGINT NOT NULL,
    CONSTRAINT `class_open_course_id_key` UNIQUE (`open_course_id`),
    CONSTRAINT `class_course_id_fkey` FOREIGN KEY (`course_id`) REFERENCES `course` (`id`),
    INDEX `class_course_id_idx` (`course_id`)
) DEFAULT CHARACTER SET utf8mb4;
