-- What may happen once: whoever inserts the row does it.
CREATE TABLE `claim` (
    `name` VARCHAR(64) PRIMARY KEY,
    `claimed` DATETIME(6) NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
