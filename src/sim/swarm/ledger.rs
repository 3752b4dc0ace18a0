//! What both sides of each call did and heard.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Call, Scenario};
use crate::endpoint::CallHandle;

/// One side of a call.
#[derive(Clone, Default, Debug)]
pub(super) struct SideLog {
    /// Its handle, once there is one.
    pub(super) call: Option<CallHandle>,
    /// The callee said 2xx.
    pub(super) accepted: bool,
    /// The caller heard that it was answered; the callee, that its 2xx was acknowledged.
    pub(super) stands: bool,
    /// It was forgotten.
    pub(super) abandoned: bool,
    /// Its node crashed since then.
    pub(super) crashed: bool,
    /// Why it ended, each time that this was heard.
    pub(super) ends: Vec<String>,
    /// What was heard after the end.
    pub(super) late: Vec<String>,
}

/// A call's plan and what became of it.
#[derive(Debug)]
pub(super) struct CallLog {
    pub(super) plan: Call,
    pub(super) caller: SideLog,
    /// Everybody that the INVITE reached: a retransmission that comes after all is over makes a
    /// new call.
    pub(super) callees: Vec<SideLog>,
}

/// All calls.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) calls: Vec<CallLog>,
    /// Verbs that were refused where they must not be.
    pub(super) misuses: Vec<String>,
}

impl Ledger {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let calls = scenario.calls.iter().map(|plan| CallLog {
            plan: plan.clone(),
            caller: SideLog::default(),
            callees: Vec::new(),
        });
        Self {
            calls: calls.collect(),
            misuses: Vec::new(),
        }
    }

    /// All that a node had is gone; its next life gives the same handles again.
    pub(super) fn crashed(&mut self, node: usize) {
        for log in &mut self.calls {
            let caller = (log.plan.caller == node).then_some(&mut log.caller);
            let callees = log.callees.iter_mut();
            let callees = callees.filter(|_| log.plan.callee == node);
            for side in caller.into_iter().chain(callees) {
                side.crashed |= side.call.take().is_some();
            }
        }
    }

    pub(super) fn of_number(&mut self, number: usize) -> Option<&mut CallLog> {
        self.calls
            .iter_mut()
            .find(|call| call.plan.number == number)
    }

    /// The side of a node that has this handle, and whether it is the caller's.
    pub(super) fn of_handle(&mut self, node: usize, call: CallHandle) -> Option<Found<'_>> {
        self.calls.iter_mut().find_map(|log| {
            if log.plan.caller == node && log.caller.call == Some(call) {
                return Some(Found {
                    plan: &log.plan,
                    side: &mut log.caller,
                    is_caller: true,
                });
            }
            if log.plan.callee != node {
                return None;
            }
            let side = log
                .callees
                .iter_mut()
                .find(|side| side.call == Some(call))?;
            Some(Found {
                plan: &log.plan,
                side,
                is_caller: false,
            })
        })
    }

    pub(super) fn answered(&self) -> usize {
        self.calls.iter().filter(|call| call.caller.stands).count()
    }
}

/// One side of a call with its plan.
pub(super) struct Found<'l> {
    pub(super) plan: &'l Call,
    pub(super) side: &'l mut SideLog,
    pub(super) is_caller: bool,
}
