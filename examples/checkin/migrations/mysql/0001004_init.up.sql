CREATE TABLE `enrolment` (
    `id` BIGINT AUTO_INCREMENT PRIMARY KEY,
    `course_id` BIGINT NOT NULL,
    `account_id` BIGINT NOT NULL,
    CONSTRAINT `enrolment_course_id_account_id_key` UNIQUE (`course_id`, `account_id`),
    CONSTRAINT `enrolment_course_id_fkey` FOREIGN KEY (`course_id`) REFERENCES `course` (`id`),
    CONSTRAINT `enrolment_account_id_fkey` FOREIGN KEY (`account_id`) REFERENCES `account` (`id`),
    INDEX `enrolment_account_id_idx` (`account_id`)
) DEFAULT CHARACTER SET utf8mb4;
