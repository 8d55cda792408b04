-- LOSES DATA: drops table course.
DROP TABLE `course`;
