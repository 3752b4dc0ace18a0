//! What was offered of late, and how much less it should be.

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::Algorithm;
use crate::time::Time;

/// How long one count lasts. Feedback follows the load by so much, so it is no longer than it takes
/// a caller to notice.
const WINDOW: Duration = Duration::from_secs(1);
/// Never all: who sends nothing hears nothing, not even that there is room again.
const MOST_LOSS: u32 = 95;
/// Clients that share a rate are told apart up to so many; beyond it each gets a little more than
/// its share.
const CLIENTS: usize = 1_024;
/// How many windows in a row must be calm before clients with a rate are let go: they do not show
/// how much they would send.
const RELEASE: u8 = 10;

/// Counts in windows of a second, from the first request on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Meter {
    /// `None`: nothing has come yet.
    since: Option<Time>,
    open: Counts,
    /// The window before.
    last: Counts,
    /// What clients that heed loss are asked to leave out, in percent.
    loss: u32,
    /// Windows left in which clients that heed a rate are held to it.
    held: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Counts {
    admitted: u64,
    refused: u64,
    /// Those of the offered that came from clients that heed loss.
    obeying: u64,
    clients: BTreeSet<u64>,
}

impl Counts {
    fn offered(&self) -> u64 {
        self.admitted.saturating_add(self.refused)
    }
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            since: None,
            open: Counts::default(),
            last: Counts::default(),
            loss: 0,
            held: 0,
        }
    }

    /// Begins the window that `now` is in, if it is a new one.
    pub(super) fn roll(&mut self, now: Time, rate: Option<u32>) {
        let Some(since) = self.since else {
            self.since = Some(now);
            return;
        };
        let gone = now.saturating_since(since);
        if gone < WINDOW {
            return;
        }
        let done = core::mem::take(&mut self.open);
        // Nothing came for a whole window and more: what was before says nothing of now.
        let is_next = gone < WINDOW.saturating_mul(2);
        if is_next {
            self.since = since + WINDOW;
            self.ask_for(&done, rate);
            self.last = done;
        } else {
            (self.since, self.loss, self.held) = (Some(now), 0, 0);
            self.last = Counts::default();
        }
    }

    /// How much less would be right, from what would be offered if nobody held anything back.
    fn ask_for(&mut self, done: &Counts, rate: Option<u32>) {
        let kept = u64::from(100_u32.saturating_sub(self.loss)).max(1);
        let would = done.obeying.saturating_mul(100).checked_div(kept);
        let demand = done
            .offered()
            .saturating_sub(done.obeying)
            .saturating_add(would.unwrap_or(0));
        let able = match rate {
            Some(rate) => Some(u64::from(rate)),
            None => (done.refused > 0).then_some(done.admitted),
        };
        let part = |able: u64| able.min(demand).saturating_mul(100).checked_div(demand);
        self.loss = match able {
            Some(able) => {
                let part = u32::try_from(part(able).unwrap_or(100)).unwrap_or(100);
                100_u32.saturating_sub(part).min(MOST_LOSS)
            }
            // All that came was taken, and nobody knows how much more could be.
            None => self.loss / 2,
        };
        self.held = match done.refused > 0 {
            true => RELEASE,
            false => self.held.saturating_sub(1),
        };
    }

    pub(super) fn count(&mut self, client: Option<(Algorithm, u64)>, is_taken: bool) {
        let counter = match is_taken {
            true => &mut self.open.admitted,
            false => &mut self.open.refused,
        };
        *counter = counter.saturating_add(1);
        match client {
            Some((Algorithm::Loss, _)) => self.open.obeying = self.open.obeying.saturating_add(1),
            Some((Algorithm::Rate, who)) if self.open.clients.len() < CLIENTS => {
                self.open.clients.insert(who);
            }
            Some((Algorithm::Rate, _)) | None => {}
        }
    }

    /// Requests in the last whole window, or in the one that is open if there are more already.
    pub(super) fn offered(&self, now: Time) -> u64 {
        let gone = self.since.map(|since| now.saturating_since(since));
        let gone = gone.unwrap_or_default();
        if gone >= WINDOW.saturating_mul(2) {
            return 0;
        }
        let open = self.open.offered();
        match gone < WINDOW {
            true => open.max(self.last.offered()),
            false => open,
        }
    }

    pub(super) fn loss(&self) -> u32 {
        self.loss
    }

    /// What each client with a rate may send, if they are held to one.
    pub(super) fn share(&self, rate: Option<u32>) -> Option<u32> {
        if self.held == 0 {
            return None;
        }
        let able = match rate {
            Some(rate) => u64::from(rate),
            None => self.last.admitted,
        };
        let clients = self.last.clients.len().max(1);
        let share = able.checked_div(u64::try_from(clients).unwrap_or(u64::MAX));
        // One a second, so that each hears when there is more.
        Some(u32::try_from(share.unwrap_or(0)).unwrap_or(u32::MAX).max(1))
    }

    /// When the window began: what is said in it has this number.
    pub(super) fn since(&self) -> Time {
        self.since.unwrap_or(Time::ZERO)
    }

    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        self.since = self.since.map(|since| since.rebased(from, to));
    }
}
