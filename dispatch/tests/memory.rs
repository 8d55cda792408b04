//! What a message may cost in memory, by a counting allocator.

// The counter is the one place that needs it: an allocator cannot be written in safe code.
#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use packetboat_dispatch::{Anyone, App, Dispatcher, Message};
use serde::Deserialize;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK.fetch_max(now, Ordering::SeqCst);
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Deserialize, Message)]
#[message(type = "list", reply = usize)]
struct List {
    #[serde(default)]
    items: Vec<u16>,
}

async fn list(request: List) -> usize {
    request.items.len()
}

#[test]
fn a_megabyte_of_elements_costs_at_most_four_times_its_bytes() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let local = App::from(Dispatcher::new(()).allow(Anyone, |group| group.on(list))).connect();
    for (key, element, answer) in [
        ("ignored", "[],", "0"),
        ("ignored", "NaN,", "0"),
        ("items", "7,", "524289"),
    ] {
        let many = element.repeat((1 << 20) / element.len());
        let last = element.trim_end_matches(',');
        let message = format!(r#"{{"type": "list", "{key}": [{many}{last}]}}"#);
        let before = NOW.load(Ordering::SeqCst);
        PEAK.store(before, Ordering::SeqCst);
        let reply = runtime.block_on(local.request(message.as_bytes()));
        let cost = PEAK.load(Ordering::SeqCst) - before;
        assert_eq!(reply.text(), format!(r#"{{"flag":true,"value":{answer}}}"#));
        assert!(
            cost <= 4 * message.len(),
            "{key}: {cost} bytes for {}",
            message.len()
        );
    }
}
