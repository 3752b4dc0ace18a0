//! A child process: its output line by line, waits that end, and an end of its own.

#![expect(
    clippy::disallowed_methods,
    reason = "real peers live in real time; a limit needs a clock"
)]

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A child that is killed when it is dropped.
pub(super) struct Process {
    name: String,
    child: Child,
    /// What it reads its commands from, if it reads any.
    keyboard: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

impl Process {
    pub(super) fn start(name: &str, command: &mut Command) -> Self {
        Self::start_with(name, command, Stdio::null())
    }

    /// One that is told what to do ([`say`](Self::say)).
    pub(super) fn start_with_keyboard(name: &str, command: &mut Command) -> Self {
        Self::start_with(name, command, Stdio::piped())
    }

    fn start_with(name: &str, command: &mut Command, stdin: Stdio) -> Self {
        command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{name}: {command:?}: {e}"));
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self {
            name: name.to_owned(),
            keyboard: child.stdin.take(),
            child,
            stdout,
            stderr,
        }
    }

    /// Types a line.
    pub(super) fn say(&mut self, line: &str) {
        let keyboard = self.keyboard.as_mut().unwrap();
        writeln!(keyboard, "{line}").unwrap();
    }

    /// Waits for a line on stdout that has `text` in it, among those after the first `skip`. Says
    /// how many lines came up to it.
    pub(super) fn wait_for_text(&self, text: &str, skip: usize, limit: Duration) -> usize {
        let found = self.stdout.find_from(skip, limit, text);
        found.unwrap_or_else(|| {
            panic!(
                "no `{text}` after line {skip} within {limit:?}\n{}",
                self.transcript()
            )
        })
    }

    /// What `pick` makes of the first line on stderr that it takes.
    pub(super) fn wait_for_line<T>(
        &self,
        what: &str,
        limit: Duration,
        pick: impl Fn(&str) -> Option<T>,
    ) -> T {
        let found = self.stderr.find(limit, pick);
        found.unwrap_or_else(|| panic!("no {what} within {limit:?}\n{}", self.transcript()))
    }

    /// Waits until so many lines on stderr have `text` in them.
    pub(super) fn wait_for_lines(&self, text: &str, times: usize, limit: Duration) {
        let is_there = self.stderr.has(text, times, limit);
        assert!(
            is_there,
            "no `{text}` {times} times within {limit:?}\n{}",
            self.transcript()
        );
    }

    /// Waits until `is_so`, asked every 10 ms.
    pub(super) fn wait_until(&mut self, what: &str, limit: Duration, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            let ended = self.child.try_wait().unwrap();
            let late = start.elapsed() > limit;
            assert!(
                !late && ended.is_none(),
                "not {what} ({ended:?})\n{}",
                self.transcript()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end, and kills what is later than `limit`.
    pub(super) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.stdout.drain();
                self.stderr.drain();
                return status;
            }
            assert!(
                start.elapsed() <= limit,
                "still runs after {limit:?}\n{}",
                self.transcript()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The most memory that it has had so far, in KiB.
    pub(super) fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = peak.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }

    /// Sends a signal (`INT`, `USR1`).
    pub(super) fn signal(&self, signal: &str) {
        let pid = self.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap();
        assert!(
            sent.success(),
            "kill -s {signal} {pid}: {sent}\n{}",
            self.transcript()
        );
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What has been written to stdout so far.
    pub(super) fn stdout(&self) -> Vec<String> {
        self.stdout.all()
    }

    /// All that it said, for a failure's message. Only the end of what is long.
    pub(super) fn transcript(&self) -> String {
        let tail = |lines: Vec<String>| {
            let skipped = lines.len().saturating_sub(60);
            lines
                .into_iter()
                .skip(skipped)
                .collect::<Vec<_>>()
                .join("\n")
        };
        let (stdout, stderr) = (tail(self.stdout.all()), tail(self.stderr.all()));
        format!(
            "-- {} stdout:\n{stdout}\n-- {} stderr:\n{stderr}",
            self.name, self.name
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of one stream, gathered by a thread so that the child never waits for a reader.
struct Lines(Arc<(Mutex<Gathered>, Condvar)>);

#[derive(Default)]
struct Gathered {
    lines: Vec<String>,
    is_closed: bool,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Gathered::default()), Condvar::new()));
        let writer = Arc::clone(&shared);
        thread::spawn(move || {
            let (gathered, changed) = &*writer;
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                gathered
                    .lock()
                    .unwrap()
                    .lines
                    .push(String::from_utf8_lossy(&line).into_owned());
                changed.notify_all();
            }
            gathered.lock().unwrap().is_closed = true;
            changed.notify_all();
        });
        Self(shared)
    }

    fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    /// The first line that `pick` takes; `None` after `limit`, or when no more can come.
    fn find<T>(&self, limit: Duration, pick: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (gathered, changed) = &*self.0;
        let search = |gathered: &Gathered| gathered.lines.iter().find_map(|line| pick(line));
        let waiting = |gathered: &mut Gathered| !gathered.is_closed && search(gathered).is_none();
        let guard = changed.wait_timeout_while(gathered.lock().unwrap(), limit, waiting);
        search(&guard.unwrap().0)
    }

    /// Whether so many lines have `text` in them, within `limit`.
    fn has(&self, text: &str, times: usize, limit: Duration) -> bool {
        let (gathered, changed) = &*self.0;
        let is_there = |gathered: &Gathered| {
            let lines = gathered.lines.iter();
            lines.filter(|line| line.contains(text)).count() >= times
        };
        let waiting = |gathered: &mut Gathered| !gathered.is_closed && !is_there(gathered);
        let guard = changed.wait_timeout_while(gathered.lock().unwrap(), limit, waiting);
        is_there(&guard.unwrap().0)
    }

    /// Which line, counted from one, is the first after `skip` with `text` in it.
    fn find_from(&self, skip: usize, limit: Duration, text: &str) -> Option<usize> {
        let (gathered, changed) = &*self.0;
        let search = |gathered: &Gathered| {
            let mut lines = gathered.lines.iter().enumerate().skip(skip);
            lines.find_map(|(at, line)| line.contains(text).then_some(at + 1))
        };
        let waiting = |gathered: &mut Gathered| !gathered.is_closed && search(gathered).is_none();
        let guard = changed.wait_timeout_while(gathered.lock().unwrap(), limit, waiting);
        search(&guard.unwrap().0)
    }

    /// Waits for the stream's end, which follows the child's at once.
    fn drain(&self) {
        let (gathered, changed) = &*self.0;
        let open = |gathered: &mut Gathered| !gathered.is_closed;
        let limit = Duration::from_secs(5);
        drop(changed.wait_timeout_while(gathered.lock().unwrap(), limit, open));
    }
}
