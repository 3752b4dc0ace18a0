//! What happens to a node itself: it stops for a while, dies and comes back, has a wrong clock, or
//! sits behind a translator.

use alloc::boxed::Box;
use core::mem;
use core::net::IpAddr;
use core::time::Duration;

use super::nat::Nat;
use super::world::{Node, Part, World};

impl World {
    /// Stops a node: as a process that is not scheduled. What arrives waits, and nothing is due.
    pub fn pause(&mut self, node: Node) {
        if let Some(place) = self.places.get_mut(node.0) {
            place.is_paused = true;
        }
    }

    /// Lets a node go on: all that waited is taken in its order, then what is due.
    pub fn resume(&mut self, node: Node) {
        let now = self.now;
        let Some(place) = self.places.get_mut(node.0) else {
            return;
        };
        place.is_paused = false;
        for plan in mem::take(&mut place.backlog) {
            self.plan(now, plan);
        }
        self.rearm_late(node);
    }

    /// Kills a node: its endpoint and all that its user wanted to do later are gone, and nobody is
    /// told. Its user stays for the next life.
    pub fn crash(&mut self, node: Node) {
        let Some(place) = self.places.get_mut(node.0) else {
            return;
        };
        place.lives = place.lives.saturating_add(1);
        place.backlog.clear();
        place.is_paused = false;
        let part = mem::replace(&mut place.part, Part::Busy);
        place.part = match part {
            Part::Endpoint(endpoint, user) => Part::Down(Box::new(endpoint.config().clone()), user),
            part @ (Part::Down(..) | Part::Peer(_) | Part::Busy) => part,
        };
        let armed = place.armed.take();
        if let Some(armed) = armed {
            self.queue.remove(&armed);
        }
    }

    /// Starts a node again that crashed: it remembers nothing, and has another seed.
    pub fn restart(&mut self, node: Node) {
        let Some(place) = self.places.get_mut(node.0) else {
            return;
        };
        let own = place.clock.read(self.now);
        let lives = place.lives;
        let part = mem::replace(&mut place.part, Part::Busy);
        let part = match part {
            Part::Down(config, user) => match self.new_endpoint(node.0, lives, &config, own) {
                Ok(endpoint) => Part::Endpoint(Box::new(endpoint), user),
                Err(_) => Part::Down(config, user),
            },
            part @ (Part::Endpoint(..) | Part::Peer(_) | Part::Busy) => part,
        };
        if let Some(place) = self.places.get_mut(node.0) {
            place.part = part;
        }
    }

    /// Lets a node's clock go at so many parts of a million of the world's from now on.
    pub fn clock_rate(&mut self, node: Node, parts_per_million: u32) {
        let now = self.now;
        if let Some(place) = self.places.get_mut(node.0) {
            place.clock.run(now, parts_per_million);
        }
        self.rearm_late(node);
    }

    /// Sets a node's clock forward.
    pub fn clock_forward(&mut self, node: Node, by: Duration) {
        self.clock_jump(node, by, false);
    }

    /// Sets a node's clock back.
    pub fn clock_back(&mut self, node: Node, by: Duration) {
        self.clock_jump(node, by, true);
    }

    fn clock_jump(&mut self, node: Node, by: Duration, back: bool) {
        let now = self.now;
        if let Some(place) = self.places.get_mut(node.0) {
            place.clock.jump(now, by, back);
        }
        self.rearm_late(node);
    }

    /// Puts a node behind a translator with this address: from now on nothing reaches the node's
    /// own address, and each address that it sends to is given a port, which is forgotten when the
    /// node has not sent there for so long.
    pub fn nat(&mut self, node: Node, public: IpAddr, forgets: Duration) {
        if let Some(place) = self.places.get_mut(node.0) {
            place.nat = Some(Nat::new(public, forgets));
        }
    }
}
