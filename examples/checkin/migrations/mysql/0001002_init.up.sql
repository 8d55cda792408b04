CREATE TABLE `course` (
    `id` BIGINT AUTO_INCREMENT PRIMARY KEY,
    `name` VARCHAR(100) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL,
    `created` DATETIME(6) NOT NULL,
    CONSTRAINT `course_name_key` UNIQUE (`name`)
) DEFAULT CHARACTER SET utf8mb4;
