//! Where requests and responses go (RFC 3263): what waits for a place, and the questions that
//! are out.

use alloc::boxed::Box;
use alloc::string::ToString;

use smallvec::{SmallVec, smallvec};

use super::calls::Unsent;
use super::{
    Answer, CallEvent, CallHandle, Dropped, Endpoint, LocationHandle, Output, Part, Query, QueryId,
    RequestHandle,
};
use crate::call::RequestId;
use crate::locate::{Action, Event, Locate, Target};
use crate::machine::Machine;
use crate::message::Draft;
use crate::sink::Sink;
use crate::time::Time;
use crate::transaction::Failure;
use crate::transport::{Flow, NextHop, Transport};

/// What one call of a location pushed.
pub(super) type Actions = SmallVec<[Action; 2]>;

/// A request of a call on its way out; without an id it is an ACK.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Errand {
    pub(super) call: CallHandle,
    pub(super) request: Option<RequestId>,
    pub(super) draft: Draft,
    /// How the server before this one failed: what the call hears if there is no other.
    pub(super) verdict: Option<Box<CallEvent>>,
}

/// What waits for a place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Waiting {
    /// Errands of a call on their way to their next hop.
    ///
    /// Those of one call to one place share a location, so that they go in the order in which the
    /// call sent them: no BYE overtakes an ACK because its answer came first.
    Requests {
        call: CallHandle,
        errands: SmallVec<[Errand; 1]>,
        /// `None`: an errand that goes elsewhere because a server failed goes alone.
        place: Option<Place>,
    },
    /// A response that could not be sent elsewhere (3263 5).
    Response(RequestHandle),
}

/// What is being located.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Place {
    host: Box<str>,
    port: Option<u16>,
    transport: Option<Transport>,
    secure: bool,
}

impl Place {
    fn of(hop: &NextHop<'_>) -> Self {
        Self {
            host: hop.host.to_string().into(),
            port: hop.port,
            transport: hop.transport,
            secure: hop.secure,
        }
    }
}

/// A location that waits for answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct LocationEntry {
    locate: Box<Locate>,
    waiting: Waiting,
    open: SmallVec<[QueryId; 2]>,
}

impl LocationEntry {
    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        self.locate.rebase(from, to);
    }
}

/// A question that is out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct QueryEntry {
    location: LocationHandle,
    number: u16,
}

impl Endpoint {
    /// Looks for the servers that take this errand.
    pub(super) fn locate_for(
        &mut self,
        now: Time,
        errand: Errand,
        hop: &NextHop<'_>,
        unsent: &mut Unsent,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let place = Place::of(hop);
        let Some(errand) = self.join(errand, &place) else {
            return;
        };
        let call = errand.call;
        // All requests of a call prefer the same of several equal servers.
        let entry = self.calls.get(call);
        let base = entry.map_or(0, |entry| entry.hashed.as_u64());
        let (locate, mut actions) = self.start_locating(now, hop, base);
        let waiting = Waiting::Requests {
            call,
            errands: smallvec![errand.clone()],
            place: Some(place),
        };
        match self.wait_for(locate, waiting) {
            Some(location) => self.perform_location(now, location, &mut actions, out),
            None => self.fail(errand, Failure::NoRoom, unsent),
        }
    }

    /// Begins to look for a place.
    pub(super) fn start_locating(
        &self,
        now: Time,
        hop: &NextHop<'_>,
        base: u64,
    ) -> (Locate, Actions) {
        let mut actions = Actions::new();
        let (reach, random) = (self.places.reach(), self.context.ids.targets(base));
        let locate = Locate::new(now, hop, reach, random, self.limits(), &mut actions);
        (locate, actions)
    }

    /// Puts what waits in the table.
    pub(super) fn wait_for(&mut self, locate: Locate, waiting: Waiting) -> Option<LocationHandle> {
        let call = match &waiting {
            Waiting::Requests { call, .. } => Some(*call),
            Waiting::Response(_) => None,
        };
        let location = self.locations.insert(LocationEntry {
            locate: Box::new(locate),
            waiting,
            open: SmallVec::new(),
        })?;
        if let Some(entry) = call.and_then(|call| self.calls.get_mut(call)) {
            entry.locations.push(location);
        }
        Some(location)
    }

    /// Puts an errand behind those of its call that wait for the same place; gives it back if
    /// there are none.
    fn join(&mut self, errand: Errand, to: &Place) -> Option<Errand> {
        let Some(entry) = self.calls.get(errand.call) else {
            return Some(errand);
        };
        for id in &entry.locations {
            let Some(location) = self.locations.get_mut(*id) else {
                continue;
            };
            if let Waiting::Requests {
                errands,
                place: Some(place),
                ..
            } = &mut location.waiting
                && place == to
            {
                // An ACK that a repeated 2xx asks for again need not go twice.
                if !errands.contains(&errand) {
                    errands.push(errand);
                }
                return None;
            }
        }
        Some(errand)
    }

    pub(super) fn on_answer(
        &mut self,
        now: Time,
        id: QueryId,
        answer: Answer,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(QueryEntry { location, number }) = self.queries.remove(id) else {
            return self.drop_packet(Dropped::StaleAnswer, out);
        };
        let Answer::Dns(records) = answer;
        if let Some(entry) = self.locations.get_mut(location) {
            entry.open.retain(|open| *open != id);
        }
        self.drive_location(now, location, out, |locate, actions| {
            locate.receive(now, Event::Answer { number, records }, actions);
        });
    }

    pub(super) fn drive_location(
        &mut self,
        now: Time,
        location: LocationHandle,
        out: &mut (impl Sink<Output> + ?Sized),
        drive: impl FnOnce(&mut Locate, &mut Actions),
    ) {
        let Some(entry) = self.locations.get_mut(location) else {
            return;
        };
        let mut actions = Actions::new();
        drive(&mut entry.locate, &mut actions);
        self.perform_location(now, location, &mut actions, out);
    }

    pub(super) fn perform_location(
        &mut self,
        now: Time,
        location: LocationHandle,
        actions: &mut Actions,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let at = self.locations.get(location);
        let at = at.and_then(|entry| entry.locate.deadline());
        self.arm(Part::Location(location), at);
        for action in actions.drain(..) {
            match action {
                Action::Ask { number, question } => {
                    let Some(id) = self.queries.insert(QueryEntry { location, number }) else {
                        // It counts as not answered.
                        self.drop_packet(Dropped::Overload, out);
                        continue;
                    };
                    if let Some(entry) = self.locations.get_mut(location) {
                        entry.open.push(id);
                    }
                    let query = Query::Dns(question);
                    out.push(Output::Query { id, query });
                }
                Action::Try(target) => self.settle(now, location, Some(target), out),
                Action::Exhausted => self.settle(now, location, None, out),
                Action::Terminated => {}
            }
        }
    }

    /// What waited goes to the target; without one, it cannot be sent.
    fn settle(
        &mut self,
        now: Time,
        location: LocationHandle,
        target: Option<Target>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) {
        let Some(entry) = self.remove_location(location) else {
            return;
        };
        match entry.waiting {
            Waiting::Requests { call, errands, .. } => {
                let failure = match target {
                    Some(_) => Failure::NoLocalAddress,
                    None => Failure::Unresolved,
                };
                let flow = target.and_then(|target| self.flow_to(call, target));
                let mut unsent = Unsent::new();
                for errand in errands {
                    match flow {
                        Some(flow) => {
                            let locate = Some(&*entry.locate);
                            self.dispatch(now, errand, flow, locate, &mut unsent, out);
                        }
                        None => self.fail(errand, failure, &mut unsent),
                    }
                }
                self.tell_unsent(now, call, unsent, out);
            }
            Waiting::Response(server) => {
                self.on_place(now, server, (target, entry.locate), out);
            }
        }
    }

    /// A flow from where the requests of the call leave.
    fn flow_to(&self, call: CallHandle, target: Target) -> Option<Flow> {
        let known = self.calls.get(call).and_then(|entry| entry.flow);
        self.places
            .flow(target.transport, target.remote, known.as_ref())
    }

    /// Takes back a request that still waits for an address.
    pub(super) fn withdraw(&mut self, call: CallHandle, request: RequestId) -> Option<Errand> {
        for id in &self.calls.get(call)?.locations {
            let Waiting::Requests { errands, .. } = &mut self.locations.get_mut(*id)?.waiting
            else {
                continue;
            };
            let waits = |errand: &Errand| errand.request == Some(request);
            let Some(at) = errands.iter().position(waits) else {
                continue;
            };
            let errand = errands.remove(at);
            let (id, left) = (*id, errands.len());
            if left == 0 {
                self.remove_location(id);
            }
            return Some(errand);
        }
        None
    }

    /// Nobody waits for its answers any more.
    pub(super) fn remove_location(&mut self, location: LocationHandle) -> Option<LocationEntry> {
        self.arm(Part::Location(location), None);
        let entry = self.locations.remove(location)?;
        for query in &entry.open {
            self.queries.remove(*query);
        }
        if let Waiting::Requests { call, .. } = entry.waiting
            && let Some(call) = self.calls.get_mut(call)
        {
            call.locations.retain(|other| *other != location);
        }
        Some(entry)
    }
}
