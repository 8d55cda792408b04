//! How often one address may ask one site.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::refusals::Refusal;

/// Addresses that are remembered before those are forgotten that have been quiet.
const REMEMBERED: usize = 50_000;

/// How often.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// Requests of one address to one site in a second, on average; 20 by default: a page with what belongs to it is
    /// three, and a classroom shares an address.
    pub requests: NonZeroU32,
    /// Requests that may come at once; 100 by default.
    pub burst: NonZeroU32,
    /// Entries, questions and logins of one address on one site in a minute; 12 by default.
    pub writes: NonZeroU32,
}

impl Default for RateLimits {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            requests: number(20),
            burst: number(100),
            writes: number(12),
        }
    }
}

/// Who asks whom: the site, and the address or, of IPv6, the 2^64 that belong to one customer.
type Who = (i64, Option<IpAddr>);

/// The rates of all sites; clones are the same.
#[derive(Clone)]
pub struct Rates {
    requests: Arc<DefaultKeyedRateLimiter<Who>>,
    writes: Arc<DefaultKeyedRateLimiter<Who>>,
}

impl Rates {
    /// Rates within these limits.
    pub fn new(limits: RateLimits) -> Self {
        let requests = Quota::per_second(limits.requests).allow_burst(limits.burst);
        let writes = Quota::per_minute(limits.writes);
        Self {
            requests: Arc::new(RateLimiter::keyed(requests)),
            writes: Arc::new(RateLimiter::keyed(writes)),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`], with the time after which the next one is let in.
    pub fn request(&self, site: i64, client: Option<IpAddr>) -> Result<(), Refusal> {
        check(&self.requests, site, client)
    }

    /// Counts an entry, a question or a login.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn write(&self, site: i64, client: Option<IpAddr>) -> Result<(), Refusal> {
        check(&self.writes, site, client)
    }
}

fn check(
    limiter: &DefaultKeyedRateLimiter<Who>,
    site: i64,
    client: Option<IpAddr>,
) -> Result<(), Refusal> {
    if limiter.len() > REMEMBERED {
        limiter.retain_recent();
    }
    limiter
        .check_key(&(site, client.map(network)))
        .map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            let wait = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Refusal::TooMany { wait: wait.max(1) }
        })
}

fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_throttled_on_one_site_and_nobody_else() {
        let few = NonZeroU32::new(3).expect("a number");
        let rates = Rates::new(RateLimits {
            requests: NonZeroU32::MIN,
            burst: few,
            writes: NonZeroU32::MIN,
        });
        let ip = |text: &str| Some(text.parse().expect("an address"));
        for _ in 0..3 {
            rates
                .request(1, ip("2001:db8::1"))
                .expect("within the burst");
        }
        // The neighbour in the same /64 is the same customer.
        let refused = rates.request(1, ip("2001:db8::2"));
        assert!(
            matches!(refused, Err(Refusal::TooMany { wait: 1 })),
            "{refused:?}"
        );
        rates.request(2, ip("2001:db8::1")).expect("another site");
        rates
            .request(1, ip("2001:db8:0:1::1"))
            .expect("another customer");
        rates.write(1, ip("192.0.2.1")).expect("the first");
        assert!(
            rates.write(1, ip("::ffff:192.0.2.1")).is_err(),
            "the same in IPv6's clothes"
        );
    }
}
