//! An INVITE that goes again: to another target, or changed as its refusal asks (8.1.3.4, 8.1.3.5,
//! 13.2.2.2, 13.2.2.3). To, From and Call-ID stay, CSeq is one higher, the branch is new.

use alloc::boxed::Box;

use super::Inviting;
use crate::auth;
use crate::call::failure::{Retry, retry};
use crate::call::recursion::Targets;
use crate::call::retries::remedy;
use crate::call::{Action, Core, Notice, State};
use crate::message::Response;
use crate::sink::Sink;

/// How an INVITE goes again.
pub(super) enum Again {
    /// To the same target, changed as this response asks.
    Changed(Box<Response>),
    /// To the next target; the response is the 3xx that named it, or how the last target failed.
    Elsewhere(Option<Box<Response>>),
}

impl Inviting {
    /// What to do about a refusal, by what the invitation allows (8.1.3.4, 8.1.3.5).
    pub(super) fn again(&mut self, core: &Core, response: &Response) -> Option<Again> {
        let status = response.status();
        let kind = retry(status, self.is_secure());
        if self.template.retries.allows(kind) {
            let template = &mut self.template;
            if kind == Retry::Targets {
                let limits = &core.context.limits;
                if self.budget.spend(kind) {
                    let targets = self.targets.take();
                    let mut targets = targets.unwrap_or_else(|| Box::new(Targets::of(template)));
                    targets.add(response, limits);
                    self.targets = Some(targets);
                }
            } else if self.budget.has(kind) && remedy(kind, template, response, core) {
                self.budget.spend(kind);
                return Some(Again::Changed(Box::new(response.clone())));
            }
        }
        // 21.6: a 6xx speaks for the user, wherever else they might be.
        let more = status.class() != 6 && self.next_target();
        more.then(|| Again::Elsewhere(Some(Box::new(response.clone()))))
    }

    pub(super) fn next_target(&mut self) -> bool {
        let template = &mut self.template;
        let targets = self.targets.as_mut();
        let found = targets.is_some_and(|targets| targets.next(template));
        if found {
            self.budget = self.budget.of_next_target();
        }
        found
    }

    /// Another INVITE, in a transaction of its own; what the last one made is over.
    pub(super) fn go_again(
        mut self: Box<Self>,
        core: &mut Core,
        again: Again,
        cseq: u32,
        credentials: auth::Attempt,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        core.legs.clear();
        core.own.clear();
        let (notice, credentials) = match again {
            Again::Changed(response) => (Notice::Retried { response }, credentials),
            Again::Elsewhere(response) => {
                core.forget_server_credentials();
                let target = self.template.target.clone();
                let notice = Notice::Redirected { target, response };
                (notice, auth::Attempt::new())
            }
        };
        out.push(Action::Notify(notice));
        self.attempt(core, cseq.saturating_add(1), credentials, out);
        State::Inviting(self)
    }
}
