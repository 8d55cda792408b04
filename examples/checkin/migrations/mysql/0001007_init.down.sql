-- LOSES DATA: drops table correction.
DROP TABLE `correction`;
