//! The way of a request outside of any dialog through its refusals: to another target, or changed as
//! a refusal asks (8.1.3.4, 8.1.3.5).

use alloc::boxed::Box;

use super::Core;
use super::failure::{Budget, Retry, retry};
use super::invitation::Invitation;
use super::recursion::Targets;
use super::retries::remedy;
use crate::message::Response;

/// What is sent, and what of its way is behind it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Course {
    pub(super) template: Invitation,
    /// The target set, once it was redirected.
    targets: Option<Box<Targets>>,
    /// How often it was sent again by itself.
    pub(super) budget: Budget,
}

/// How a request goes again.
pub(super) enum Again {
    /// To the same target, changed as this response asks.
    Changed(Box<Response>),
    /// To the next target; the response is the 3xx that named it, or how the last target failed.
    Elsewhere(Option<Box<Response>>),
}

impl Course {
    pub(super) fn new(template: Invitation) -> Self {
        Self {
            template,
            targets: None,
            budget: Budget::default(),
        }
    }

    /// What to do about a refusal, by what the invitation allows (8.1.3.4, 8.1.3.5).
    pub(super) fn again(&mut self, core: &Core, response: &Response) -> Option<Again> {
        let status = response.status();
        let kind = retry(status, self.template.is_secure());
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
}
