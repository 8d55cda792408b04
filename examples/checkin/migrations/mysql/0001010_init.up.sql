CREATE TABLE `setting` (
    `name` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL PRIMARY KEY,
    `value` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */ NOT NULL
) DEFAULT CHARACTER SET utf8mb4;
