-- LOSES DATA: drops table class.
DROP TABLE `class`;
