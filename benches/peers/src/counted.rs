//! An allocator that counts what is asked of it.
//!
//! Not `benches/parse/counted.rs`: some of the parsers here allocate two hundred times in eight
//! messages, and an atomic addition each time, or a reallocation that always copies, would be
//! timed as theirs.
#![allow(
    unsafe_code,
    reason = "GlobalAlloc is an unsafe trait, and nothing else sees every allocation; each call \
              goes to the system's allocator as it came"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// How often memory has been asked for, a reallocation included. Right while one thread allocates.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.load(Ordering::Relaxed)
}

pub(crate) struct Counted;

fn count() {
    // A load and a store cost less than an addition that is atomic, and there is one thread.
    ALLOCATIONS.store(allocations().wrapping_add(1), Ordering::Relaxed);
}

// SAFETY: every call is the system allocator's own, with the arguments it came with.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}
