//! The views of a flow, as a reader of the README and of the example meets them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use crate::flows::a_call_with_loss;

/// The drawing in the README. `DRONGO_BLESS=1 cargo test --test it views` draws it again; then it
/// is to be looked at.
#[test]
fn drawing_in_the_readme_is_what_the_crate_draws() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/call.svg");
    let svg = a_call_with_loss().svg();
    if env::var_os("DRONGO_BLESS").is_some() {
        fs::write(&path, &svg).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), svg);
}

#[test]
fn ladder_in_the_readme_is_what_the_crate_prints() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let ladder = a_call_with_loss().ladder();
    assert!(readme.unwrap().contains(&ladder), "{ladder}");
}

/// A capture of the call, gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("drongo-{}-{name}", std::process::id()));
        let capture = a_call_with_loss().pcapng(Duration::from_secs(1_700_000_000));
        fs::write(&path, capture).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Exit code and standard output of the example; `cargo test` builds it.
fn ladder(arguments: &[&str], file: &Path) -> (Option<i32>, String) {
    let own = env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let output = Command::new(profile.join("examples/ladder"))
        .args(arguments)
        .arg(file)
        .output()
        .expect("cargo build --all-features --example ladder");
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), text)
}

#[test]
fn example_draws_the_call_in_a_capture() {
    let file = File::new("draws.pcapng");
    let named = [
        "--name",
        "192.0.2.1:5060=alice",
        "--name",
        "192.0.2.4:5060=bob",
    ];
    let (code, text) = ladder(&named, &file.0);
    // A capture knows neither what users heard nor what was lost after it.
    let expected: Vec<String> = a_call_with_loss()
        .ladder()
        .lines()
        .filter(|line| !line.contains(" * "))
        .map(|line| line.replace("--x ", "--->"))
        .collect();
    let labels = |text: &str| -> Vec<String> {
        let words = |line: &str| line.replace(['-', '<', '>', '|'], " ");
        let words = |line| words(line).split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(words).collect()
    };
    assert_eq!(code, Some(0));
    assert_eq!(labels(&text), labels(&expected.join("\n")));
    let (_, list) = ladder(&["--list"], &file.0);
    assert_eq!(list.lines().count(), 1);
    for (format, start) in [("svg", "<svg "), ("mermaid", "sequenceDiagram")] {
        let (code, text) = ladder(&["--format", format], &file.0);
        assert_eq!(code, Some(0));
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn example_says_what_is_wrong() {
    let file = File::new("wrong.pcapng");
    assert_eq!(ladder(&["--call", "nobody's"], &file.0).0, Some(1));
    assert_eq!(ladder(&["--frob"], &file.0).0, Some(2));
    assert_eq!(ladder(&[], Path::new("Cargo.toml")).0, Some(1));
    assert_eq!(ladder(&[], Path::new("/nowhere")).0, Some(1));
    assert_eq!(ladder(&["--help"], &file.0).0, Some(0));
}
