//! Several endpoints behind the same addresses, each with the calls of its Call-IDs.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use drongo::driver::Counters;
use drongo::shard::shard_of;
use drongo::transport::Transport;

use super::anywhere;
use super::face::{Answering, Face, both, invitation, patient};
use super::suite::hang_up_all;

const SHARDS: u32 = 4;
const CALLS: usize = 24;

pub(super) fn calls_reach_the_shards_of_their_call_ids<D: Face>() {
    let shards = D::bind_shards(&both(), patient(), SHARDS).unwrap();
    let shards: Vec<Answering> = shards.into_iter().map(Answering::run).collect();
    let mut caller = D::bind(&both(), patient()).unwrap();
    for transport in [Transport::Udp, Transport::Tcp] {
        for _ in 0..CALLS {
            let invitation = invitation(shards[0].at(transport), transport);
            caller.place(invitation).unwrap();
        }
    }
    hang_up_all(&mut caller, 2 * CALLS);
    let seen: Vec<_> = shards.iter().map(Answering::seen).collect();
    assert_eq!(seen.iter().map(|seen| seen.calls).sum::<usize>(), 2 * CALLS);
    assert_eq!(seen.iter().map(|seen| seen.astray).sum::<usize>(), 0);
    let counters = seen.iter().map(|seen| seen.counters);
    let counters = counters.fold(Counters::default(), Counters::plus);
    // All of it came from one address over UDP, and over one connection.
    assert!(counters.handed_over > 0);
    assert_eq!((counters.overflowed, counters.accepted), (0, 1));
}

pub(super) fn shards_place_calls_of_their_own<D: Face>() {
    let callee = Answering::new::<D>(patient());
    let shards = D::bind_shards(&both(), patient(), SHARDS).unwrap();
    let done = AtomicU32::new(0);
    thread::scope(|scope| {
        for mut shard in shards {
            let (callee, done) = (&callee, &done);
            scope.spawn(move || {
                for transport in [Transport::Udp, Transport::Tcp] {
                    for _ in 0..CALLS {
                        let invitation = invitation(callee.at(transport), transport);
                        shard.place(invitation).unwrap();
                    }
                }
                {
                    let _done = Done(done);
                    hang_up_all(&mut shard, 2 * CALLS);
                }
                // The others need its sockets yet.
                while done.load(Ordering::Acquire) < SHARDS {
                    shard.next_event_within(Duration::from_millis(5));
                }
            });
        }
    });
    assert_eq!(callee.seen().calls, 2 * CALLS * SHARDS as usize);
}

/// Counts when it is dropped: also by a panic, which then fails the test instead of having the
/// others wait for ever.
struct Done<'a>(&'a AtomicU32);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

pub(super) fn datagrams_for_a_shard_that_does_not_keep_up_are_counted<D: Face>() {
    let mut shards = D::bind_shards(&both(), patient(), 2).unwrap();
    // It is there, and nobody runs it.
    let stuck = shards.pop().unwrap();
    let running = Answering::run(shards.pop().unwrap());
    let call_id = (0..).find(|id: &u32| shard_of(id.to_string().as_bytes(), 2) == 1);
    let datagram = format!("BYE sip:a SIP/2.0\r\nCall-ID: {}\r\n\r\n", call_id.unwrap());
    // The system spreads what comes from different ports over both.
    let senders: Vec<UdpSocket> = (0..16)
        .map(|_| UdpSocket::bind(anywhere()).unwrap())
        .collect();
    let mut most = 10_000_000_u64;
    while running.seen().counters.overflowed == 0 {
        for sender in &senders {
            // What does not fit into the system's buffers is lost, as on any network.
            let _ = sender.send_to(datagram.as_bytes(), running.udp);
        }
        most = most.checked_sub(16).expect("nothing was ever lost");
    }
    assert!(running.seen().counters.handed_over > 0);
    drop(stuck);
}
