//! Sockets that are bound, and what else a driver is made of: the same whatever drives them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::Socket;

use super::clock::{Clock, seed};
use super::core::Core;
use super::listen::{Listen, with_locals};
use super::pool::{Directory, Kind};
use super::wrong;
use crate::endpoint::Config;
use crate::seed::{Ids, Seed};
use crate::shard::Shard;

/// What one shard is made of.
pub(super) struct Bound {
    pub(super) shard: Shard,
    pub(super) config: Config,
    /// That of all shards, if there are several.
    pub(super) directory: Option<Directory>,
    seed: Seed,
    clock: Clock,
    /// The places, with the ports that were bound.
    pub(super) places: Vec<Listen>,
    sockets: Vec<Socket>,
}

impl Bound {
    /// Binds the places, once for each shard.
    pub(super) fn all(places: &[Listen], mut config: Config, shards: u32) -> io::Result<Vec<Self>> {
        for (number, place) in places.iter().enumerate() {
            let mut others = places.iter().take(number);
            if others.any(|other| other.transport() == place.transport()) {
                return Err(wrong("one place of each transport"));
            }
        }
        if places.is_empty() {
            return Err(wrong("a place to listen"));
        }
        let mut sockets: Vec<Vec<Socket>> = Shard::all(shards).map(|_| Vec::new()).collect();
        let mut bound: Vec<Listen> = Vec::new();
        for place in places {
            let mut place = *place;
            for sockets in &mut sockets {
                let socket = place.bind(shards > 1)?;
                let local = socket.local_addr()?.as_socket();
                // The others get the port that the first one got.
                place = place.at(local.ok_or(io::ErrorKind::AddrNotAvailable)?);
                sockets.push(socket);
            }
            config = with_locals(config, place.transport(), place.address())?;
            bound.push(place);
        }
        let (seed, clock) = (seed()?, Clock::start());
        let directory = (shards > 1).then(Directory::default);
        let bound = Shard::all(shards)
            .zip(sockets)
            .map(|(shard, sockets)| Self {
                shard,
                config: config.clone(),
                directory: directory.clone(),
                seed: seed.clone(),
                clock,
                places: bound.clone(),
                sockets,
            });
        match shards {
            0 => Err(wrong("one shard at least")),
            _ => Ok(bound.collect()),
        }
    }

    /// The endpoint.
    pub(super) fn core(&self) -> io::Result<Core> {
        Core::new(
            self.config.clone(),
            self.seed.clone(),
            self.clock,
            self.shard,
        )
    }

    /// The sockets, in the order of the places.
    pub(super) fn take_sockets(&mut self) -> Vec<(Listen, Socket)> {
        let sockets = std::mem::take(&mut self.sockets);
        self.places.iter().copied().zip(sockets).collect()
    }

    /// What the connections of a place have in common.
    pub(super) fn kind(&self, place: Listen) -> io::Result<Kind> {
        let mut numbered = (0..).zip(&self.places);
        let found = numbered.find(|(_, known)| **known == place);
        Ok(Kind {
            transport: place.transport(),
            local: place.address(),
            number: found.map_or(0, |(number, _)| number),
            shard: self.shard,
            limits: Arc::new(self.config.limits.clone()),
            ids: Ids::new(seed()?),
        })
    }
}

/// The address of a place of that transport, if there is one.
pub(super) fn address_of(
    places: &[Listen],
    transport: crate::transport::Transport,
) -> Option<SocketAddr> {
    let mut places = places.iter();
    let found = places.find(|place| place.transport() == transport);
    found.map(Listen::address)
}
