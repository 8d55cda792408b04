ALTER TABLE `session`
    RENAME INDEX `session_subject` TO `session_subject_idx`,
    RENAME INDEX `session_expires` TO `session_expires_idx`;
