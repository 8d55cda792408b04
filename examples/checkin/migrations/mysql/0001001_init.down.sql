-- LOSES DATA: drops table account.
DROP TABLE `account`;
