//! Connections on which nothing happens, held by a process of its own, so that neither end takes
//! the descriptors of the other.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _, stdin};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

/// What tells the process what to do.
const WANTED: &str = "DRONGO_HOLD";
/// What it says when it has them all.
const READY: &str = "holds them all";

/// Another process with so many connections, until it is dropped.
pub(crate) struct Idle {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Idle {
    /// Returns when all are open.
    pub(crate) fn open(to: SocketAddr, many: usize) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "idle::holds_connections",
                "--ignored",
                "--nocapture",
            ])
            .env(WANTED, format!("{to} {many}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut idle = Self { child, said };
        let mut lines = idle.said.by_ref().lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains(READY)), "it has failed");
        idle
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // Its end of file.
        drop(self.child.stdin.take());
        // It fails only if the process has ended already.
        let _ = self.said.read_to_string(&mut String::new());
        let _ = self.child.wait();
    }
}

/// Ten thousand, or what a process may have here besides what else it needs.
pub(crate) fn ten_thousand() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    let soft = soft
        .and_then(|soft| soft.parse().ok())
        .unwrap_or(1_024_usize);
    soft.saturating_sub(500).min(10_000)
}

#[test]
#[ignore = "it is the other process of tests with idle connections"]
fn holds_connections() {
    let Ok(wanted) = env::var(WANTED) else {
        return;
    };
    let (to, many) = wanted.split_once(' ').unwrap();
    let (to, many): (SocketAddr, usize) = (to.parse().unwrap(), many.parse().unwrap());
    let connections: Vec<TcpStream> = (0..many).map(|_| TcpStream::connect(to).unwrap()).collect();
    // The last one is answered (RFC 5626 4.4.1), so all have been accepted.
    if let Some(mut last) = connections.last() {
        last.write_all(b"\r\n\r\n").unwrap();
        last.read_exact(&mut [0; 2]).unwrap();
    }
    println!("{READY}");
    let ended = stdin().read(&mut [0]);
    assert_eq!(ended.unwrap(), 0, "{}", connections.len());
}
