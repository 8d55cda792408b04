//! Front door: frames, attachments and limits.
