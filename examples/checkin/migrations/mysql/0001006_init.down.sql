-- LOSES DATA: drops table attendance.
DROP TABLE `attendance`;
