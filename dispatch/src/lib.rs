//! Front door: a server and a client.
