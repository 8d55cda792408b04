-- LOSES DATA: drops table attempt.
DROP TABLE `attempt`;
