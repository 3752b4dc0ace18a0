//! An allocator that counts, for a bench with one thread.
#![allow(
    unsafe_code,
    reason = "GlobalAlloc is an unsafe trait, and nothing else sees every allocation; each call \
              goes to the system's allocator as it came"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

pub(crate) struct Counted;

static ALLOCATIONS: AtomicI64 = AtomicI64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

/// How often memory has been asked for.
pub(crate) fn allocations() -> i64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// How many bytes have been asked for and not given back.
pub(crate) fn bytes() -> i64 {
    BYTES.load(Ordering::Relaxed)
}

/// One thread needs no locked instruction, which would be timed too.
fn add(counter: &AtomicI64, n: i64) {
    counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

// SAFETY: both calls are the system allocator's own, with the arguments they came with.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(&ALLOCATIONS, 1);
        add(&BYTES, layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        add(&BYTES, -(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}
