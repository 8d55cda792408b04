//! The derive of packetboat-dispatch.
