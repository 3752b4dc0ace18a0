//! Session descriptions: offers and answers out of what this side can do (RFC 3264).
//!
//! [`Session`] is one side of a session. It makes offers, answers those of the other side, and
//! remembers what must stay as it was: the order of the m= lines, the payload numbers, the o= line.
//! When an offer may go, and what a body in a message means, is the matter of
//! [`call::offer_answer`](crate::call::offer_answer).

mod lines;
#[cfg(test)]
mod tests;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::Bytes;
use sdp_types::{Attribute, Connection, Media, Origin, Time};

use crate::error::Misuse;
use crate::message::{HeaderList, Outgoing, StatusCode};
use lines::{bare, common, direction, formats, is_nowhere, mapped, name_formats, printed, remote};

/// Which way a stream flows, from the side that says so (RFC 3264 5.1).
///
/// Exhaustive on purpose: there are two ways, each open or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// Out only.
    SendOnly,
    /// In only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    const ALL: [Self; 4] = [
        Self::SendRecv,
        Self::SendOnly,
        Self::RecvOnly,
        Self::Inactive,
    ];

    const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether media goes out.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether media comes in.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same, seen from the other side.
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// What both allow.
    pub const fn and(self, other: Self) -> Self {
        Self::new(
            self.sends() && other.sends(),
            self.receives() && other.receives(),
        )
    }

    /// On hold: 8.4, sendrecv becomes sendonly and recvonly inactive.
    pub const fn held(self) -> Self {
        Self::new(self.sends(), false)
    }

    /// The attribute's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn among(attributes: &[Attribute]) -> Option<Self> {
        let named = |a: &Attribute| Self::ALL.into_iter().find(|d| d.as_str() == a.attribute);
        attributes.iter().find_map(named)
    }
}

/// A media format that this side can use.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Codec {
    /// The payload number that an offer gives it. In a session that has one already, that stays.
    pub payload: u8,
    /// As in a=rtpmap: `PCMU/8000`, `opus/48000/2`.
    pub encoding: String,
    /// What a=fmtp says, if there is one.
    pub parameters: Option<String>,
}

impl Codec {
    /// One without a=fmtp.
    pub fn new(payload: u8, encoding: &str) -> Self {
        let encoding = encoding.to_owned();
        Self {
            payload,
            encoding,
            parameters: None,
        }
    }

    /// Names compare without case (RFC 8866 6.6), and one channel need not be said.
    fn is(&self, encoding: &str) -> bool {
        let bare = |text: &'_ str| text.strip_suffix("/1").unwrap_or(text).to_ascii_lowercase();
        bare(&self.encoding) == bare(encoding)
    }
}

/// A stream that this side can have.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Stream {
    /// `audio`, `video`, …
    pub kind: String,
    /// Where this side receives.
    pub port: u16,
    /// `RTP/AVP`, …
    pub proto: String,
    /// In order of preference.
    pub codecs: Vec<Codec>,
    /// What this side wants of it.
    pub direction: Direction,
}

impl Stream {
    /// Both ways, over `RTP/AVP`.
    pub fn new(kind: &str, port: u16, codecs: Vec<Codec>) -> Self {
        Self {
            kind: kind.to_owned(),
            port,
            proto: "RTP/AVP".to_owned(),
            codecs,
            direction: Direction::SendRecv,
        }
    }
}

/// Why a session description of the other side is of no use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// It cannot be read. An offer is refused with 400, or 488.
    #[error("malformed session description")]
    Malformed,
    /// The offer has no stream that this side could take part in: 488 (section 6).
    #[error("no media format in common")]
    NothingInCommon,
    /// The m= lines do not go with those that there were (sections 6 and 8).
    #[error("the m= lines do not match")]
    Mismatch,
    /// An answer without an offer of this side.
    #[error("no offer is open")]
    NoOffer,
}

impl SdpError {
    /// What refuses the INVITE, re-INVITE or UPDATE with such an offer: 488, and a Warning that says
    /// why (RFC 3261 13.3.1.3, 14.2, 20.43). `agent` is who warns: host and port of this side, or a
    /// pseudonym.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] if that is neither.
    ///
    /// ```
    /// use drongo::sdp::SdpError;
    ///
    /// let (status, outgoing) = SdpError::NothingInCommon.refusal("desk.example.com")?;
    /// assert_eq!(status.as_u16(), 488);
    /// # Ok::<(), drongo::error::Misuse>(())
    /// ```
    pub fn refusal(self, agent: &str) -> Result<(StatusCode, Outgoing), Misuse> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';');
        if agent.is_empty() || !agent.bytes().all(fits) {
            let what = "agent";
            return Err(Misuse::Malformed { what });
        }
        let code = match self {
            Self::NothingInCommon => 305,
            Self::Malformed | Self::Mismatch | Self::NoOffer => 399,
        };
        let warning = format!("{code} {agent} \"{self}\"");
        let headers = HeaderList::new().with("Warning", warning)?;
        let outgoing = Outgoing::new().with_headers(headers);
        Ok((StatusCode::NOT_ACCEPTABLE_HERE, outgoing))
    }
}

/// A stream as it was agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Agreed<'a> {
    /// `audio`, `video`, …
    pub kind: &'a str,
    /// Where this side receives.
    pub local_port: u16,
    /// Where media goes to; `None` if it names no address, or 0.0.0.0.
    pub remote: Option<(IpAddr, u16)>,
    /// With the payload numbers of the session, the preferred one first.
    pub codecs: &'a [Codec],
    /// From this side.
    pub direction: Direction,
}

/// One m= line of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Slot {
    kind: String,
    proto: String,
    /// What a refused line repeats: at least one format (section 6).
    formats: String,
    /// Which of this side's streams it is.
    stream: Option<usize>,
    /// Those that were agreed on.
    codecs: Vec<Codec>,
    /// Those of the last offer of this side.
    offered: Vec<Codec>,
    /// What each payload number ever meant here: it means that as long as the session lasts (8.3.2).
    numbers: Vec<(u8, String)>,
    direction: Direction,
    remote: Option<(IpAddr, u16)>,
    /// The other side names 0.0.0.0, so it is sent nothing (8.4).
    silent: bool,
}

impl Slot {
    fn remember<'a>(&mut self, formats: impl IntoIterator<Item = (u8, &'a str)>) {
        for (payload, encoding) in formats {
            if !self.numbers.iter().any(|(number, _)| *number == payload) {
                self.numbers.push((payload, encoding.to_owned()));
            }
        }
    }

    /// All that this side can use of a stream, what was agreed on first (RFC 6337 5.2.5).
    fn offer(&mut self, stream: &Stream) {
        let mut codecs = self.codecs.clone();
        for codec in &stream.codecs {
            if codecs.iter().any(|agreed| agreed.is(&codec.encoding)) {
                continue;
            }
            let had = self.numbers.iter().find(|(_, encoding)| codec.is(encoding));
            let is_free = |number: &u8| {
                let taken = self.numbers.iter().any(|(other, _)| other == number);
                !taken && !codecs.iter().any(|other| other.payload == *number)
            };
            let own = core::iter::once(codec.payload).chain(96..=127);
            let number = had.map(|(number, _)| *number);
            if let Some(payload) = number.or_else(|| own.into_iter().find(is_free)) {
                let codec = codec.clone();
                codecs.push(Codec { payload, ..codec });
            }
        }
        self.remember(codecs.iter().map(|codec| (codec.payload, &*codec.encoding)));
        self.offered = codecs;
    }
}

/// One side of a session.
///
/// ```
/// use drongo::sdp::{Codec, Direction, Session, Stream};
///
/// let audio = |port| vec![Stream::new("audio", port, vec![Codec::new(0, "PCMU/8000")])];
/// let mut alice = Session::new("192.0.2.1".parse().unwrap(), 1, audio(40_000));
/// let mut bob = Session::new("192.0.2.2".parse().unwrap(), 2, audio(50_000));
///
/// let answer = bob.answer(&alice.offer()).unwrap();
/// alice.take_answer(&answer).unwrap();
/// assert_eq!(alice.agreed().next().unwrap().remote.unwrap().1, 50_000);
///
/// alice.hold(true);
/// let answer = bob.answer(&alice.offer()).unwrap();
/// alice.take_answer(&answer).unwrap();
/// assert_eq!(alice.agreed().next().unwrap().direction, Direction::SendOnly);
/// assert_eq!(bob.agreed().next().unwrap().direction, Direction::RecvOnly);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    address: IpAddr,
    id: u64,
    streams: Vec<Stream>,
    held: bool,
    slots: Vec<Slot>,
    /// The last description of this side.
    last: Option<sdp_types::Session>,
    /// That of the other side.
    theirs: Option<sdp_types::Session>,
    offered: bool,
    /// What stood before the offer that is open.
    before: (Vec<Slot>, bool),
}

impl Session {
    /// A side that receives at `address`. `id` is the session's in o=, unique for this host: a
    /// random number below 2^62 will do, and is the first version too (section 5).
    pub const fn new(address: IpAddr, id: u64, streams: Vec<Stream>) -> Self {
        Self {
            address,
            id,
            streams,
            held: false,
            slots: Vec::new(),
            last: None,
            theirs: None,
            offered: false,
            before: (Vec::new(), false),
        }
    }

    /// Whether the next offer or answer puts the other side on hold, or takes it off (8.4).
    pub const fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// An offer: of all streams at first, then of the m= lines that there are and what is new. It
    /// says all that this side can do now, not only what the other side has agreed to
    /// (RFC 6337 5.1).
    pub fn offer(&mut self) -> Bytes {
        for at in 0..self.streams.len() {
            if !self.slots.iter().any(|slot| slot.stream == Some(at)) {
                self.add_slot(at);
            }
        }
        for slot in &mut self.slots {
            if let Some(stream) = slot.stream.and_then(|at| self.streams.get(at)) {
                slot.offer(stream);
            }
        }
        self.offered = true;
        let lines = self.lines(self.wanted(), |slot| &slot.offered);
        self.write(alloc::vec![Time::new(0, 0)], lines)
    }

    /// Whether a description of the other side says anything that its last one did not: by the
    /// version in its o= line, as all else in it stays the same with that (8; RFC 3261 14.2).
    ///
    /// # Errors
    ///
    /// [`SdpError::Malformed`].
    pub fn is_news(&self, description: &[u8]) -> Result<bool, SdpError> {
        let new = sdp_types::Session::parse(description).map_err(|_| SdpError::Malformed)?;
        Ok(self.theirs.as_ref() != Some(&new))
    }

    /// What this side can do, for a 200 to OPTIONS or a 488: no offer and no answer (section 9).
    pub fn capabilities(&self) -> Bytes {
        let mut session = self.blank(self.id, alloc::vec![Time::new(0, 0)]);
        for stream in &self.streams {
            if session
                .medias
                .iter()
                .all(|media| media.media != stream.kind)
            {
                let mut media = bare(&stream.kind, &stream.proto, &formats(&stream.codecs));
                name_formats(&mut media, &stream.codecs);
                session.medias.push(media);
            }
        }
        printed(&session)
    }

    /// The offer of this side was refused, or will not be answered: the session is what it was
    /// before (section 4). Does nothing if no offer is open. The next description has a higher
    /// version all the same.
    pub fn withdraw(&mut self) {
        if core::mem::take(&mut self.offered) {
            (self.slots, self.held) = self.before.clone();
        }
    }

    /// The answer to an offer (section 6). Where an INVITE or re-INVITE brings none, there is
    /// nothing to answer: send [`offer`](Self::offer), and take the answer that comes with the ACK.
    ///
    /// # Errors
    ///
    /// [`SdpError`]; then the session is as it was.
    pub fn answer(&mut self, offer: &[u8]) -> Result<Bytes, SdpError> {
        let offer = sdp_types::Session::parse(offer).map_err(|_| SdpError::Malformed)?;
        if offer.medias.len() < self.slots.len() {
            // 8: streams are never taken away.
            return Err(SdpError::Mismatch);
        }
        let before = self.slots.clone();
        for (at, media) in offer.medias.iter().enumerate() {
            let slot = self.taken(at, &offer, media);
            match self.slots.get_mut(at) {
                Some(old) => *old = slot,
                None => self.slots.push(slot),
            }
        }
        let wants_some = offer.medias.iter().any(|media| media.port != 0);
        if wants_some && self.slots.iter().all(|slot| slot.stream.is_none()) {
            self.slots = before;
            return Err(SdpError::NothingInCommon);
        }
        self.agree();
        let lines = self.lines(|slot| slot.direction, |slot| &slot.codecs);
        let times = offer.times.clone();
        self.theirs = Some(offer);
        Ok(self.write(times, lines))
    }

    /// The answer that refuses every stream of an offer (section 6): where an offer came in a
    /// response, which cannot be refused otherwise (RFC 6337 5.2.4).
    ///
    /// # Errors
    ///
    /// [`SdpError`]; then the session is as it was.
    pub fn decline(&mut self, offer: &[u8]) -> Result<Bytes, SdpError> {
        let mut offer = sdp_types::Session::parse(offer).map_err(|_| SdpError::Malformed)?;
        for media in &mut offer.medias {
            media.port = 0;
        }
        self.answer(printed(&offer).as_ref())
    }

    /// Takes the answer to the offer of this side (section 7).
    ///
    /// # Errors
    ///
    /// [`SdpError`]; then the session is as it was.
    pub fn take_answer(&mut self, answer: &[u8]) -> Result<(), SdpError> {
        if !self.offered {
            return Err(SdpError::NoOffer);
        }
        let answer = sdp_types::Session::parse(answer).map_err(|_| SdpError::Malformed)?;
        let pairs = || self.slots.iter().zip(&answer.medias);
        if answer.medias.len() != self.slots.len() || pairs().any(|(s, m)| s.kind != m.media) {
            return Err(SdpError::Mismatch);
        }
        let wanted = self.wanted();
        let slots = pairs().map(|(slot, media)| {
            let codecs = common(media, &slot.offered);
            let mut slot = slot.clone();
            if media.port == 0 || codecs.is_empty() {
                slot.stream = None;
            }
            slot.direction = wanted(&slot).and(direction(&answer, media).reversed());
            slot.remote = remote(&answer, media);
            slot.silent = is_nowhere(&answer, media);
            slot.remember(mapped(media));
            slot.codecs = codecs;
            slot
        });
        self.slots = slots.collect();
        self.theirs = Some(answer);
        self.agree();
        Ok(())
    }

    fn agree(&mut self) {
        self.offered = false;
        self.before = (self.slots.clone(), self.held);
    }

    /// The streams that both sides take part in.
    pub fn agreed(&self) -> impl Iterator<Item = Agreed<'_>> {
        self.slots.iter().filter_map(|slot| {
            let stream = self.streams.get(slot.stream?)?;
            Some(Agreed {
                kind: &slot.kind,
                local_port: stream.port,
                remote: slot.remote,
                codecs: &slot.codecs,
                direction: match slot.silent {
                    true => slot.direction.and(Direction::RecvOnly),
                    false => slot.direction,
                },
            })
        })
    }

    fn add_slot(&mut self, at: usize) {
        let Some(stream) = self.streams.get(at) else {
            return;
        };
        let slot = Slot {
            kind: stream.kind.clone(),
            proto: stream.proto.clone(),
            formats: formats(&stream.codecs),
            stream: Some(at),
            codecs: Vec::new(),
            offered: Vec::new(),
            numbers: Vec::new(),
            direction: stream.direction,
            remote: None,
            silent: false,
        };
        self.slots.push(slot);
    }

    /// What this side wants of an m= line, hold included.
    fn wanted(&self) -> impl Fn(&Slot) -> Direction + use<> {
        let directions: Vec<Direction> = self.streams.iter().map(|s| s.direction).collect();
        let held = self.held;
        move |slot| {
            let stream = slot.stream.and_then(|at| directions.get(at));
            let direction = stream.copied().unwrap_or(Direction::Inactive);
            if held { direction.held() } else { direction }
        }
    }

    /// What this side makes of an offered m= line: the stream that it was, or the first that has a
    /// format in common.
    fn taken(&self, at: usize, offer: &sdp_types::Session, media: &Media) -> Slot {
        let old = self.slots.get(at);
        let had = old.and_then(|slot| slot.stream);
        let is_free = |stream: &usize| {
            let mut slots = self.slots.iter().enumerate();
            !slots.any(|(other, slot)| other != at && slot.stream == Some(*stream))
        };
        let mut candidates = had
            .into_iter()
            .chain((0..self.streams.len()).filter(is_free));
        let found = candidates.find_map(|index| {
            let stream = self.streams.get(index)?;
            let fits = stream.kind == media.media && stream.proto == media.proto;
            let codecs = common(media, &stream.codecs);
            (fits && !codecs.is_empty()).then_some((index, codecs))
        });
        let found = found.filter(|_| media.port != 0);
        let (stream, codecs) = found.map_or((None, Vec::new()), |(at, c)| (Some(at), c));
        let mut slot = Slot {
            kind: media.media.clone(),
            proto: media.proto.clone(),
            formats: media.fmt.clone(),
            stream,
            codecs,
            offered: Vec::new(),
            numbers: old.map_or_else(Vec::new, |slot| slot.numbers.clone()),
            direction: Direction::Inactive,
            remote: remote(offer, media),
            silent: is_nowhere(offer, media),
        };
        slot.remember(mapped(media));
        slot.direction = self.wanted()(&slot).and(direction(offer, media).reversed());
        slot
    }

    /// 8: the version in o= rises by one if anything has changed, and by none if nothing has.
    fn write(&mut self, times: Vec<Time>, lines: Vec<Media>) -> Bytes {
        let version = self
            .last
            .as_ref()
            .map_or(self.id, |l| l.origin.sess_version);
        let mut new = self.blank(version, times);
        new.medias = lines;
        if self.last.as_ref().is_some_and(|last| *last != new) {
            new.origin.sess_version = version.saturating_add(1);
        }
        let text = printed(&new);
        self.last = Some(new);
        text
    }

    /// One without streams.
    fn blank(&self, version: u64, times: Vec<Time>) -> sdp_types::Session {
        let mut origin = Origin::with_ip_addr(self.id, version, self.address);
        origin.username = Some("-".to_owned());
        let mut new = sdp_types::Session::new(origin, "-");
        new.connection = Some(Connection::from_ip_addr(self.address));
        new.times = times;
        new
    }

    /// The m= lines, each with these formats and this direction.
    fn lines(
        &self,
        direction: impl Fn(&Slot) -> Direction,
        codecs: impl Fn(&Slot) -> &Vec<Codec>,
    ) -> Vec<Media> {
        let line = |slot: &Slot| {
            let mut media = bare(&slot.kind, &slot.proto, &slot.formats);
            if let Some(stream) = slot.stream.and_then(|at| self.streams.get(at)) {
                media.port = stream.port;
                media.fmt = formats(codecs(slot));
                name_formats(&mut media, codecs(slot));
                media.add_attribute_from_str(direction(slot).as_str());
            }
            media
        };
        self.slots.iter().map(line).collect()
    }
}
