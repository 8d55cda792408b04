//! Runs the models.

use packetboat_interleavings::{bells, uploads};

#[test]
fn bell_each_ring_is_heard_once() {
    bells::each_ring_is_heard_once();
}

#[test]
fn bell_three_ring_at_once() {
    bells::three_ring_at_once();
}

#[test]
fn bell_a_dropped_future_loses_no_ring() {
    bells::a_dropped_future_loses_no_ring();
}

#[test]
fn bell_what_is_dropped_rings_unless_it_forgoes() {
    bells::what_is_dropped_rings_unless_it_forgoes();
}

#[test]
fn upload_chunks_pass_one_at_a_time() {
    uploads::chunks_pass_one_at_a_time();
}

#[test]
fn upload_a_handler_that_goes_is_noticed() {
    uploads::a_handler_that_goes_is_noticed();
}

#[test]
fn upload_dropped_futures_lose_nothing() {
    uploads::dropped_futures_lose_nothing();
}

#[test]
fn upload_credit_is_given_back_exactly_once() {
    uploads::credit_is_given_back_exactly_once();
}

#[test]
fn upload_the_end_comes_behind_the_last_byte() {
    uploads::the_end_comes_behind_the_last_byte();
}
