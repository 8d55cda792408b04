//! Connections that a trusted proxy has opened for somebody.

use std::net::IpAddr;
use std::sync::PoisonError;

use crate::metrics;
use crate::proxies::read;
use crate::server::Room;
use crate::server::listener::Socket;
use crate::server::places::Place;

impl Room {
    /// The address whose connections are counted together with this one: a proxy's are those of many clients, and are
    /// not.
    pub(super) fn counted_as(&self, socket: &Socket) -> Option<IpAddr> {
        let ip = socket.addr()?.ip();
        (!self.proxies.trusts(ip)).then_some(ip)
    }

    /// Whether a header of a trusted proxy stands before everything else.
    pub(super) fn is_proxied(&self, socket: &Socket) -> bool {
        let addr = socket.addr();
        addr.is_some_and(|addr| self.proxies.expects_header(addr.ip()))
    }

    /// The connection with the address of the proxy's client, and counted for it, where the proxy says whose it is.
    /// `None`: it does not say what it must, or there are enough from that address. It is then closed.
    pub(super) async fn behind_proxies(
        &self,
        mut socket: Socket,
        mut place: Place,
    ) -> Option<(Socket, Place)> {
        let Socket::Tcp(stream, addr) = &mut socket else {
            return Some((socket, place));
        };
        let mut stopping = self.shared.stopping.clone();
        let client = tokio::select! {
            biased;
            client = read(stream, self.proxies.header_time) => client,
            _ = stopping.wait_for(|stop| *stop) => return None,
        };
        match client {
            Ok(None) => Some((socket, place)),
            Ok(Some(client)) => {
                *addr = client;
                let max = self.shared.limits.connections_per_ip;
                // A client that is a trusted machine itself has no cap, as if it had come without the proxy.
                let counted = match self.proxies.trusts(client.ip()) {
                    true => Ok(()),
                    false => place.count_for(client.ip(), max),
                };
                match counted {
                    Ok(()) => Some((socket, place)),
                    Err(full) => {
                        metrics::refused(full.as_str());
                        self.refuse(&full);
                        None
                    }
                }
            }
            Err(error) => {
                metrics::refused("no_proxy_header");
                self.refuse(&error);
                None
            }
        }
    }

    fn refuse(&self, reason: &dyn std::fmt::Display) {
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.warn("connection refused", reason);
    }
}
