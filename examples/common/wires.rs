//! The driver that an example was told to use, and who stops it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use drongo::call::Invitation;
use drongo::driver::Listen;
use drongo::driver::tokio::Driver;
use drongo::endpoint::{CallHandle, Config, Endpoint, Event, Output};
use drongo::error::Misuse;
use drongo::shard::Shard;
use drongo::time::Time;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Exit, Place};

/// Which driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Kind {
    #[default]
    Tokio,
    Mio,
}

impl Kind {
    pub(crate) fn parse(value: &str) -> Result<Self, Exit> {
        match value {
            "tokio" => Ok(Self::Tokio),
            "mio" if cfg!(feature = "mio") => Ok(Self::Mio),
            "mio" => Err(Exit::Usage(
                "--driver mio: this was built without it; see the feature mio".into(),
            )),
            _ => Err(Exit::Usage(format!(
                "--driver {value}: it must be tokio or mio"
            ))),
        }
    }
}

/// A driver in the thread of its caller: one shard.
pub(crate) enum Wires {
    Tokio {
        driver: Box<Driver>,
        runtime: Runtime,
    },
    #[cfg(feature = "mio")]
    Mio(Box<drongo::driver::mio::Driver>),
}

macro_rules! both {
    ($wires:expr, $driver:ident => $does:expr) => {
        match $wires {
            Wires::Tokio {
                driver: $driver,
                runtime,
            } => {
                let _guard = runtime.enter();
                $does
            }
            #[cfg(feature = "mio")]
            Wires::Mio($driver) => $does,
        }
    };
}

impl Wires {
    /// Binds the place, once for each shard.
    pub(crate) fn bind(place: &Place, config: Config, stop: &mut Stop) -> io::Result<Vec<Self>> {
        match place.driver {
            Kind::Tokio => {
                let bound = place.bind_tokio(config)?;
                let start = |bound: drongo::driver::tokio::Bound| {
                    let runtime = Builder::new_current_thread().enable_all().build()?;
                    let driver = {
                        let _guard = runtime.enter();
                        Box::new(bound.start()?)
                    };
                    Ok(Self::Tokio { driver, runtime })
                };
                bound.into_iter().map(start).collect()
            }
            #[cfg(feature = "mio")]
            Kind::Mio => {
                let places = [place.listen];
                let bound =
                    drongo::driver::mio::Driver::bind_shards(&places, config, place.shards)?;
                let drivers = bound.into_iter().map(|driver| {
                    stop.wakers.push(driver.waker());
                    Self::Mio(Box::new(driver))
                });
                Ok(drivers.collect())
            }
            #[cfg(not(feature = "mio"))]
            Kind::Mio => {
                let _ = stop;
                Err(io::ErrorKind::Unsupported.into())
            }
        }
    }

    /// The next event; `None` at that time, or when somebody stops it.
    pub(crate) fn next(
        &mut self,
        until: Option<Instant>,
        stops: &mut watch::Receiver<u32>,
    ) -> io::Result<Option<Event>> {
        match self {
            Self::Tokio { driver, runtime } => runtime.block_on(async {
                tokio::select! {
                    event = driver.next_event() => event.map(Some),
                    () = sleep_until(until) => Ok(None),
                    _ = stops.changed() => Ok(None),
                }
            }),
            #[cfg(feature = "mio")]
            Self::Mio(driver) => match until {
                Some(until) => {
                    driver.next_event_within(until.saturating_duration_since(Instant::now()))
                }
                None => driver.next_event_within(std::time::Duration::MAX),
            },
        }
    }

    pub(crate) fn act<R>(
        &mut self,
        act: impl FnOnce(&mut Endpoint, Time, &mut VecDeque<Output>) -> R,
    ) -> R {
        both!(self, driver => driver.act(act))
    }

    pub(crate) fn place(&mut self, invitation: Invitation) -> Result<CallHandle, Misuse> {
        both!(self, driver => driver.place(invitation))
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        both!(self, driver => driver.endpoint())
    }

    /// Whether something is not written yet, which is lost with the driver.
    pub(crate) fn has_unsent(&self) -> bool {
        both!(self, driver => driver.has_unsent())
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        both!(self, driver => driver.local_addr())
    }

    pub(crate) fn shard(&self) -> Shard {
        both!(self, driver => driver.shard())
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What stops all shards: Ctrl-C, or one that has done enough. The first time they drain, the
/// second time they stop at once.
#[derive(Clone)]
pub(crate) struct Stop {
    times: Arc<watch::Sender<u32>>,
    #[cfg(feature = "mio")]
    wakers: Vec<drongo::driver::mio::Waker>,
}

impl Stop {
    pub(crate) fn new() -> Self {
        Self {
            times: Arc::new(watch::channel(0).0),
            #[cfg(feature = "mio")]
            wakers: Vec::new(),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u32> {
        self.times.subscribe()
    }

    pub(crate) fn press(&self) {
        self.times.send_modify(|times| *times += 1);
        #[cfg(feature = "mio")]
        for waker in &self.wakers {
            waker.wake();
        }
    }

    /// Drains, unless somebody has said so already.
    pub(crate) fn press_once(&self) {
        if *self.times.borrow() == 0 {
            self.press();
        }
    }

    /// Listens for Ctrl-C, from when this returns.
    pub(crate) fn listen_for_ctrl_c(&self) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (listens, is_listening) = channel();
        let stop = self.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    let mut pressed = Box::pin(tokio::signal::ctrl_c());
                    tokio::select! {
                        biased;
                        _ = &mut pressed => {}
                        () = std::future::ready(()) => {
                            // Nobody waits for it any more after the first time.
                            let _ = listens.send(());
                            if pressed.await.is_err() {
                                return;
                            }
                        }
                    }
                    stop.press();
                }
            });
        });
        // It fails only if the thread has failed.
        let _ = is_listening.recv();
        Ok(())
    }
}

impl Place {
    fn bind_tokio(&self, config: Config) -> io::Result<Vec<drongo::driver::tokio::Bound>> {
        let places: [Listen; 1] = [self.listen];
        #[cfg(feature = "tls")]
        if self.listen.transport().is_secure() {
            let tls = self.credentials.tls()?;
            return Driver::bind_secure_shards(&places, config, self.shards, tls);
        }
        Driver::bind_shards(&places, config, self.shards)
    }
}
