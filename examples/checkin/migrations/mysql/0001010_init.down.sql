-- LOSES DATA: drops table setting.
DROP TABLE `setting`;
