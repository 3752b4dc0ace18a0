//! Times of sessions: Session-Expires and Min-SE (RFC 4028).

use core::fmt::Write as _;

use super::super::params::Params;
use super::super::print::{AsFmt, Pieces, writes};
use super::super::value_error::ValueError;
use super::shape;

macro_rules! timed {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type<'a> {
            seconds: u32,
            params: Params<'a>,
        }

        impl<'a> $type<'a> {
            /// Reads a whole value.
            ///
            /// # Errors
            ///
            /// What is wrong, and where.
            pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
                let (seconds, params) = shape::seconds(value)?;
                Ok(Self { seconds, params })
            }

            /// The time, in seconds.
            pub const fn seconds(&self) -> u32 {
                self.seconds
            }

            /// The parameters.
            pub const fn params(&self) -> Params<'a> {
                self.params
            }
        }

        impl Pieces for $type<'_> {
            fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
                // Writing to pieces cannot fail.
                let _ = write!(AsFmt(out), "{}", self.seconds);
                self.params.pieces(out);
            }
        }

        writes!($type<'_>);
        shape::debug!($type);
    };
}

timed! {
    /// Session-Expires: `1800;refresher=uac` (4028 4).
    ///
    /// ```
    /// use drongo::message::SessionExpires;
    ///
    /// let expires = SessionExpires::parse(b"4000;refresher=UAS").unwrap();
    /// assert_eq!((expires.seconds(), expires.refresher()), (4000, Some("UAS")));
    /// ```
    SessionExpires
}

impl<'a> SessionExpires<'a> {
    /// `refresher`, as it came: `uac` or `uas` in any case.
    pub fn refresher(&self) -> Option<&'a str> {
        self.params.str("refresher")
    }
}

timed! {
    /// Min-SE: the shortest session timer that the sender takes (4028 5).
    MinSe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_parameters_are_told_apart() {
        let expires = SessionExpires::parse(b" 1800 ; refresher=uac;x").unwrap();
        assert_eq!(expires.to_string(), "1800;refresher=uac;x");
        assert_eq!(expires.refresher(), Some("uac"));
        assert_eq!(MinSe::parse(b"90;lr").unwrap().seconds(), 90);
        assert_eq!(SessionExpires::parse(b"90").unwrap().refresher(), None);
        for wrong in ["", "x", "-1", "1 2", "4294967296", "90 refresher=uac"] {
            assert!(SessionExpires::parse(wrong.as_bytes()).is_err(), "{wrong}");
            assert!(MinSe::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
