//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections against two limits.
#[derive(Clone, Debug)]
pub(super) struct Places {
    max: usize,
    max_per_ip: usize,
    // A std lock: held to count, never across an await.
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// One connection's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    network: Option<IpAddr>,
    taken: Arc<Mutex<Taken>>,
}

/// Which limit is reached.
#[derive(Debug, PartialEq)]
pub(super) enum Full {
    Server { max: usize },
    Address { network: IpAddr, max: usize },
}

impl Full {
    /// For what is counted.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Server { .. } => "server_full",
            Self::Address { .. } => "address_full",
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { max } => write!(f, "{max} connections are open"),
            Self::Address { network, max } => write!(f, "{max} are open from {network}"),
        }
    }
}

impl Places {
    pub(super) fn new(max: usize, max_per_ip: usize) -> Self {
        Self {
            max,
            max_per_ip,
            taken: Arc::default(),
        }
    }

    /// Takes a place for a connection from this address, if it has one.
    pub(super) fn take(&self, ip: Option<IpAddr>) -> Result<Place, Full> {
        let network = ip.map(network);
        let mut taken = lock(&self.taken);
        if taken.all >= self.max {
            return Err(Full::Server { max: self.max });
        }
        if let Some(network) = network {
            let here = taken.by_network.entry(network).or_default();
            if *here >= self.max_per_ip {
                return Err(Full::Address {
                    network,
                    max: self.max_per_ip,
                });
            }
            *here += 1;
        }
        taken.all += 1;
        Ok(Place {
            network,
            taken: Arc::clone(&self.taken),
        })
    }
}

#[cfg(feature = "proxies")]
impl Place {
    /// Counts it for an address that is known by now.
    pub(super) fn count_for(&mut self, ip: IpAddr, max_per_ip: usize) -> Result<(), Full> {
        let network = network(ip);
        let mut taken = lock(&self.taken);
        let here = taken.by_network.entry(network).or_default();
        if *here >= max_per_ip {
            return Err(Full::Address {
                network,
                max: max_per_ip,
            });
        }
        *here += 1;
        self.network = Some(network);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        if let Some(network) = self.network
            && let Entry::Occupied(mut here) = taken.by_network.entry(network)
        {
            *here.get_mut() -= 1;
            // What nobody uses is forgotten, so the map is no larger than the connections.
            if *here.get() == 0 {
                here.remove();
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What counts as one address: whoever has one of IPv6 has the 2^64 beside it.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn some_ip(text: &str) -> Option<IpAddr> {
        Some(ip(text))
    }

    #[test]
    fn places_are_counted_by_address_and_in_all_and_given_back() {
        let places = Places::new(3, 2);
        let first = places.take(some_ip("10.0.0.1")).expect("room");
        let mapped = places.take(some_ip("::ffff:10.0.0.1")).expect("room");
        let full = places.take(some_ip("10.0.0.1")).expect_err("two are open");
        assert_eq!(
            full,
            Full::Address {
                network: ip("10.0.0.1"),
                max: 2
            }
        );
        let other = places.take(some_ip("2001:db8::1")).expect("room");
        assert_eq!(
            places.take(some_ip("10.0.0.2")).expect_err("full"),
            Full::Server { max: 3 }
        );
        drop((first, mapped));
        let same = places.take(some_ip("2001:db8::2")).expect("room");
        assert!(places.take(some_ip("2001:db8::3")).is_err());
        drop((other, same));
        assert!(lock(&places.taken).by_network.is_empty());
        assert_eq!(lock(&places.taken).all, 0);
    }
}
