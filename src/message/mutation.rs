//! Messages with a few edits, for property tests.

use alloc::vec::Vec;

use proptest::prelude::*;

/// What is odd in most places.
const ODD: [&str; 13] = [
    " ", "\t", "\r\n ", "\r\n", ",", ";", "\"", "\\", "<", ">", "\0", "\u{fc}", "=",
];

/// The text with up to `edits` edits: each takes up to three bytes out and puts a piece in, one of
/// these or one that is odd anywhere.
pub(super) fn mutated(
    text: &'static str,
    pieces: &[&'static str],
    edits: usize,
) -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        any::<prop::sample::Index>(),
        0..4_usize,
        prop::sample::select([&ODD[..], pieces].concat()),
    );
    prop::collection::vec(edit, 0..=edits).prop_map(|edits| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, cut, piece) in edits {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at.saturating_add(cut));
            bytes.splice(at..end, piece.bytes());
        }
        bytes
    })
}
