//! An INVITE that goes again: to another target, or changed as its refusal asks (8.1.3.4, 8.1.3.5,
//! 13.2.2.2, 13.2.2.3). To, From and Call-ID stay, CSeq is one higher, the branch is new.

use alloc::boxed::Box;

use super::Inviting;
use crate::auth;
use crate::call::course::Again;
use crate::call::{Action, Core, Notice, State};
use crate::sink::Sink;

impl Inviting {
    /// Another INVITE, in a transaction of its own; what the last one made is over.
    pub(super) fn go_again(
        mut self: Box<Self>,
        core: &mut Core,
        again: Again,
        cseq: u32,
        credentials: auth::Attempt,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        core.forget_early(out);
        let (notice, credentials) = match again {
            Again::Changed(response) => (Notice::Retried { response }, credentials),
            Again::Elsewhere(response) => {
                core.forget_server_credentials();
                let target = self.course.template.target().to_buf();
                let notice = Notice::Redirected { target, response };
                (notice, auth::Attempt::new())
            }
        };
        out.push(Action::Notify(notice));
        self.attempt(core, cseq.saturating_add(1), credentials, out);
        State::Inviting(self)
    }
}
