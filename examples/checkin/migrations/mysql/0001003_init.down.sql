-- LOSES DATA: drops table teaching.
DROP TABLE `teaching`;
