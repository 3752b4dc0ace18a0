//! The drivers over real sockets of this machine. What both can do is written once, against
//! [`Face`], and run for each; TLS and WebSockets are for tokio alone.

mod face;
pub(crate) mod lost;
#[cfg(feature = "tokio")]
pub(crate) mod overload;
#[cfg(all(feature = "tls", feature = "ws"))]
mod secure;
mod sharded;
pub(crate) mod suite;
#[cfg(feature = "mio")]
mod woken;
mod wrong_peers;

use std::net::SocketAddr;
use std::time::Duration;

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Runs each of these for each driver.
macro_rules! for_each_driver {
    ($($module:ident: $($test:ident),* $(,)?;)*) => {
        #[cfg(feature = "tokio")]
        mod tokio {
            $($(
                #[test]
                fn $test() {
                    super::$module::$test::<super::face::Tokio>();
                }
            )*)*
        }

        #[cfg(feature = "mio")]
        mod mio {
            $($(
                #[test]
                fn $test() {
                    super::$module::$test::<super::face::Mio>();
                }
            )*)*
        }
    };
}

for_each_driver! {
    suite:
        call_over_each_transport_stands_and_is_hung_up,
        target_where_nobody_listens_fails_the_call,
        large_invite_reaches_a_peer_that_has_only_udp,
        name_is_looked_up,
        request_outside_of_a_call_is_answered,
        bytes_one_by_one_and_requests_in_one_piece_are_answered_alike,
        burst_of_datagrams_is_answered_in_order,
        ping_is_answered_with_a_pong,
        connection_too_many_is_closed_at_once,
        connection_without_use_is_closed,
        driver_that_drains_says_when_nothing_is_left,
        wrong_places_are_refused;
    wrong_peers:
        stream_that_cannot_be_read_is_answered_and_closed,
        half_a_message_and_silence_is_given_up,
        message_that_trickles_is_given_up,
        gigabyte_that_was_announced_is_not_waited_for,
        connection_cut_in_the_middle_of_a_message_harms_nobody,
        peer_that_does_not_read_is_given_up,
        thousands_of_idle_connections_harm_nobody;
    lost:
        ack_of_a_refusal_is_written_before_the_driver_is_drained,
        peer_that_reads_late_gets_all_before_the_driver_is_drained,
        request_on_a_connection_that_breaks_fails_at_once,
        request_on_a_connection_that_is_closed_in_order_waits_for_its_timer;
    sharded:
        calls_reach_the_shards_of_their_call_ids,
        shards_place_calls_of_their_own,
        datagrams_for_a_shard_that_does_not_keep_up_are_counted;
}
