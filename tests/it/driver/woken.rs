//! A mio driver that waits, and another thread.

use std::thread;

use drongo::driver::mio::Driver;
use drongo::endpoint::Config;

use super::{LIMIT, anywhere};

#[test]
fn driver_that_waits_is_woken_by_another_thread() {
    let mut driver = Driver::udp(anywhere(), Config::default()).unwrap();
    let waker = driver.waker();
    let waking = thread::spawn(move || waker.wake());
    assert!(driver.next_event_within(LIMIT * 100).unwrap().is_none());
    waking.join().unwrap();
}
