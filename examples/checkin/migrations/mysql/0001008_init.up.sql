CREATE TABLE `attempt` (
    `id` BIGINT AUTO_INCREMENT PRIMARY KEY,
    `student_id` BIGINT NOT NULL,
    `at` DATETIME(6) NOT NULL,
    INDEX `attempt_student_id_at_idx` (`student_id`, `at`)
) DEFAULT CHARACTER SET utf8mb4;
