//! The derives of packetboat-orm.
