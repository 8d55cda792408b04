-- LOSES DATA: drops table enrolment.
DROP TABLE `enrolment`;
