#![no_std]
//! The core of drongo, linked without `std`: see `Cargo.toml` beside this file.
//!
//! What is proved is that it links. The functions call into the crate so that its code and its
//! dependencies are in the archive, not only in the graph.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use drongo::time::Time;

/// When timer `millis` after `now_nanos` is due, in nanoseconds; `u64::MAX` when never.
#[unsafe(no_mangle)]
pub extern "C" fn drongo_due(now_nanos: u64, millis: u64) -> u64 {
    let due = Time::from_nanos(now_nanos) + Duration::from_millis(millis);
    due.map_or(u64::MAX, Time::as_nanos)
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
