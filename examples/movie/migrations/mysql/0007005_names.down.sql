ALTER TABLE `session`
    RENAME INDEX `session_subject_idx` TO `session_subject`,
    RENAME INDEX `session_expires_idx` TO `session_expires`;
