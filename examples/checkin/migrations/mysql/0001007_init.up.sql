CREATE TABLE `correction` (
    `id` BIGINT AUTO_INCREMENT PRIMARY KEY,
    `class_id` BIGINT NOT NULL,
    `student_id` BIGINT NOT NULL,
    `teacher_id` BIGINT NOT NULL,
    `was` VARCHAR(8) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL,
    `became` VARCHAR(8) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL,
    `reason` VARCHAR(200) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL,
    `made` DATETIME(6) NOT NULL,
    CONSTRAINT `correction_class_id_fkey` FOREIGN KEY (`class_id`) REFERENCES `class` (`id`),
    CONSTRAINT `correction_student_id_fkey` FOREIGN KEY (`student_id`) REFERENCES `account` (`id`),
    CONSTRAINT `correction_teacher_id_fkey` FOREIGN KEY (`teacher_id`) REFERENCES `account` (`id`),
    INDEX `correction_class_id_idx` (`class_id`),
    INDEX `correction_student_id_idx` (`student_id`)
) DEFAULT CHARACTER SET utf8mb4;
