ALTER TABLE `notice`
    DROP FOREIGN KEY `notice_user_id_fkey`,
    MODIFY COLUMN `content` TEXT NOT NULL,
    ADD CONSTRAINT `notice_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`);
