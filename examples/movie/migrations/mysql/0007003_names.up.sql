ALTER TABLE `notice`
    DROP FOREIGN KEY `notice_ibfk_1`,
    MODIFY COLUMN `content` VARCHAR(8192) NOT NULL,
    ADD CONSTRAINT `notice_user_id_fkey` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`);
