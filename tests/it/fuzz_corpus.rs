//! Replays what the fuzzer kept, with the oracles of its targets.

use std::path::Path;

use crate::{laws, oracles, scripts};

type Oracle = fn(&[u8]);

const TARGETS: [(&str, Oracle); 10] = [
    ("parse", oracles::parse),
    ("round_trip", oracles::round_trip),
    ("lexers", oracles::lexers),
    ("values", oracles::values),
    ("uris", oracles::uris),
    ("edits", oracles::edits),
    ("cost", oracles::long),
    ("machines", laws::script),
    ("pair", scripts::pair),
    ("endpoint", scripts::endpoint),
];

fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let Ok(entries) = std::fs::read_dir(&directory) else {
        panic!("no corpus of {target}");
    };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn every_target_passes_its_corpus() {
    for (target, oracle) in TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() > 10, "{target}: {} inputs", inputs.len());
        for (path, bytes) in inputs {
            if std::panic::catch_unwind(|| oracle(&bytes)).is_err() {
                panic!("{path}");
            }
        }
    }
}

/// The messages of the suite, and each of them cut short and with each byte changed, are good
/// seeds for the oracles too.
#[test]
fn every_oracle_holds_on_messages_that_are_almost_right() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/corpus");
    for entry in std::fs::read_dir(directory).unwrap() {
        let whole = std::fs::read(entry.unwrap().path()).unwrap();
        for at in (0..whole.len()).step_by(5) {
            for byte in [b'\r', b' ', b':', b'"', b'<', 0xff] {
                let mut text = whole.clone();
                text[at] = byte;
                oracles::parse(&text);
                oracles::lexers(&text);
                oracles::round_trip(&text);
                let header = [&[at as u8, byte][..], &text].concat();
                oracles::edits(&header);
            }
            oracles::parse(&whole[..at]);
        }
    }
}
