-- LOSES DATA: drops table session.
DROP TABLE `session`;
