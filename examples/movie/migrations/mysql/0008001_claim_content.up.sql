ALTER TABLE `claim`
    ADD COLUMN `content` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL DEFAULT ('');
