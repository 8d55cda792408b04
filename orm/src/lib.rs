//! Front door: rows as plain structs.
