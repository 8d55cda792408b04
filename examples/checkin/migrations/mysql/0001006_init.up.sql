CREATE TABLE `attendance` (
    `id` BIGINT AUTO_INCREMENT PRIMARY KEY,
    `class_id` BIGINT NOT NULL,
    `student_id` BIGINT NOT NULL,
    `standing` VARCHAR(8) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL,
    `arrived` DATETIME(6) NOT NULL,
    `device` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */,
    CONSTRAINT `attendance_class_id_student_id_key` UNIQUE (`class_id`, `student_id`),
    CONSTRAINT `attendance_class_id_device_key` UNIQUE (`class_id`, `device`),
    CONSTRAINT `attendance_class_id_fkey` FOREIGN KEY (`class_id`) REFERENCES `class` (`id`),
    CONSTRAINT `attendance_student_id_fkey` FOREIGN KEY (`student_id`) REFERENCES `account` (`id`),
    INDEX `attendance_student_id_idx` (`student_id`)
) DEFAULT CHARACTER SET utf8mb4;
