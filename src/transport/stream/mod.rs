//! Streams: where one message ends and the next begins (RFC 3261 7.5, 18.3), and how a connection
//! is kept alive or given up (RFC 5626 4.4.1, 5.4).

mod connection;
mod decoder;

pub use connection::{
    Action, CloseReason, Command, Connection, Event, Framing, PING, PONG, Role, Timer,
};
pub use decoder::{Frame, StreamDecoder};

#[cfg(test)]
mod tests;
