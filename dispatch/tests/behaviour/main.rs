//! What an application does is the same on each wire and over each transport: one suite for all.

#[cfg(feature = "tls")]
#[path = "../common/authority.rs"]
mod authority;
mod bed;
#[path = "../common/mod.rs"]
mod common;
mod files;
mod messages;
mod peer;
mod uploads;

use bed::{Bed, Over};
use packetboat_dispatch::Wire;

/// Each behaviour as a test of its own, in a module for each wire over each transport.
macro_rules! suite {
    ($($room:ident::$behaviour:ident,)*) => {
        suite!(@ classic_in_memory, Wire::Classic, Over::Memory; $($room::$behaviour,)*);
        suite!(@ classic_over_tcp, Wire::Classic, Over::Tcp; $($room::$behaviour,)*);
        #[cfg(feature = "tls")]
        suite!(@ classic_over_tls, Wire::Classic, Over::Tls; $($room::$behaviour,)*);
        suite!(@ classic_over_unix, Wire::Classic, Over::Unix; $($room::$behaviour,)*);
        suite!(@ native_in_memory, Wire::Native, Over::Memory; $($room::$behaviour,)*);
        suite!(@ native_over_tcp, Wire::Native, Over::Tcp; $($room::$behaviour,)*);
        #[cfg(feature = "tls")]
        suite!(@ native_over_tls, Wire::Native, Over::Tls; $($room::$behaviour,)*);
        suite!(@ native_over_unix, Wire::Native, Over::Unix; $($room::$behaviour,)*);
    };
    (@ $module:ident, $wire:expr, $over:expr; $($room:ident::$behaviour:ident,)*) => {
        mod $module {
            use super::*;

            $(
                #[tokio::test]
                async fn $behaviour() {
                    $room::$behaviour(Bed::new($wire, $over)).await;
                }
            )*
        }
    };
}

suite! {
    messages::an_alias_reaches_the_same_handler,
    messages::a_message_that_does_not_fit_its_type_names_the_field,
    messages::an_unknown_or_missing_type_is_answered,
    messages::what_is_no_message_is_answered,
    messages::a_message_may_be_longer_after_login,
    messages::a_panic_is_one_answer_and_nobody_else_notices,
    messages::a_handler_that_takes_too_long_is_answered_for_and_dropped,
    messages::a_disconnect_cancels_no_handler,
    messages::a_reply_that_no_wire_can_carry_is_an_internal_error,
    messages::a_stranger_learns_no_schema,
    messages::a_session_is_valid_on_its_connection_alone,
    uploads::an_upload_reaches_its_handler_whole,
    uploads::nothing_inside_a_refused_upload_runs,
    uploads::an_odd_size_is_refused,
    uploads::an_upload_over_the_limit_is_refused,
    uploads::an_upload_that_ends_early_is_an_error_for_its_handler,
    uploads::a_handlers_own_time_goes_on_after_its_upload,
    uploads::an_upload_that_comes_too_slowly_is_ended,
    uploads::waiting_for_an_upload_is_not_the_handlers_own_time,
    uploads::a_handler_that_does_not_read_holds_its_sender_back,
    files::a_file_follows_its_reply_and_its_end_is_told,
    files::a_held_file_waits_while_its_reply_goes_out,
    files::a_file_whose_start_fails_is_not_sent,
    files::a_peer_that_leaves_while_its_file_is_held_is_noticed,
    files::a_peer_that_leaves_in_mid_file_leaves_an_unfinished_outcome,
}
