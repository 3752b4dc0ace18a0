#![no_std]
//! The core of drongo, linked without `std`: see `Cargo.toml` beside this file.
//!
//! What is proved is that it links. The functions call into the crate so that its code and its
//! dependencies are in the archive, not only in the graph.

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicUsize, Ordering};

use drongo::endpoint::{Config, Endpoint, Input, Output};
use drongo::machine::Machine;
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transaction::non_invite_client::NonInviteClient;
use drongo::transaction::{Reliability, Timers};
use drongo::transport::{Flow, FlowId, Local, Transport};

/// How often a request that nobody answers is sent, over UDP: 11 times (RFC 3261 17.1.2.2).
#[unsafe(no_mangle)]
pub extern "C" fn drongo_transmissions() -> u32 {
    let mut sent = 0_u32;
    let mut count = |action| {
        if let drongo::transaction::non_invite_client::Action::Transmit(_) = action {
            sent = sent.saturating_add(1);
        }
    };
    let request = b"OPTIONS sip:bob@biloxi.example.com SIP/2.0\r\n\r\n"
        .as_slice()
        .into();
    let (timers, reliability) = (Timers::DEFAULT, Reliability::Unreliable);
    let mut transaction =
        NonInviteClient::new(Time::ZERO, timers, reliability, request, &mut count);
    while let Some(due) = transaction.deadline() {
        transaction.on_deadline(due, &mut count);
    }
    sent
}

/// What an endpoint says to one datagram: the number of bytes, or 0.
///
/// # Safety
///
/// `datagram` points to `length` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn drongo_answer(datagram: *const u8, length: usize) -> usize {
    // SAFETY: the caller says so.
    let bytes = unsafe { core::slice::from_raw_parts(datagram, length) };
    let address = SocketAddr::from(([127, 0, 0, 1], 5060));
    let config = Config::default().local(Local::new(Transport::Udp, address));
    let Ok(mut endpoint) = Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO) else {
        return 0;
    };
    let flow = Flow {
        id: FlowId::new(0),
        transport: Transport::Udp,
        local: address,
        remote: address,
    };
    let mut said = 0;
    let now = Time::from_millis(1);
    let input = Input::Datagram {
        flow,
        bytes: alloc::vec::Vec::from(bytes).into(),
    };
    endpoint.receive(now, input, &mut |output| {
        if let Output::Transmit(transmit) = output {
            said = transmit.bytes.len();
        }
    });
    said
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[global_allocator]
static ARENA: Arena = Arena::new();

/// Hands out memory from one block and takes none back: enough to link and to run a short flow.
struct Arena {
    used: AtomicUsize,
    block: UnsafeCell<[u8; Arena::SIZE]>,
}

impl Arena {
    const SIZE: usize = 1024 * 1024;

    const fn new() -> Self {
        Self {
            used: AtomicUsize::new(0),
            block: UnsafeCell::new([0; Self::SIZE]),
        }
    }
}

// SAFETY: `block` is only reached through `alloc`, which gives every byte away at most once.
unsafe impl Sync for Arena {}

// SAFETY: `used` only grows, by one atomic update per allocation, so that no two blocks overlap;
// every pointer is aligned as asked and lies inside `block`, which lives as long as the program.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.block.get().cast::<u8>();
        let place = |used: usize| {
            let start = base
                .addr()
                .checked_add(used)?
                .checked_next_multiple_of(layout.align())?;
            let offset = start.checked_sub(base.addr())?;
            let end = offset.checked_add(layout.size())?;
            (end <= Self::SIZE).then_some((offset, end))
        };
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                place(used).map(|(_, end)| end)
            });
        match taken.ok().and_then(place) {
            Some((offset, _)) => base.wrapping_add(offset),
            None => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
