-- The names that the models give, so that later migrations find what they change.
ALTER TABLE `user`
    MODIFY COLUMN `user_type` VARCHAR(8) NOT NULL,
    ADD CONSTRAINT `user_user_type_check` CHECK (user_type IN ('admin', 'user'));
