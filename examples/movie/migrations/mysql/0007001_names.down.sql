ALTER TABLE `user`
    DROP CONSTRAINT `user_user_type_check`,
    MODIFY COLUMN `user_type` VARCHAR(8) NOT NULL CHECK (`user_type` IN ('admin', 'user'));
