//! The strings of a dialog, packed into one allocation.

use alloc::vec::Vec;
use core::ops::Range;

use crate::message::{NameAddr, is_token, range_in};

/// Call-ID, local, remote, target and routes, one behind the other. They are put in that order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Text {
    bytes: Vec<u8>,
    /// Where each part ends; a part begins where the one before it ends.
    call_id: u32,
    local: u32,
    remote: u32,
    target: u32,
    local_tag: Option<(u32, u32)>,
    remote_tag: Option<(u32, u32)>,
}

/// Between two routes; no value contains it.
const SEPARATOR: u8 = b'\n';

impl Text {
    /// With room for values of this length altogether.
    pub(super) fn new(room: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(room),
            call_id: 0,
            local: 0,
            remote: 0,
            target: 0,
            local_tag: None,
            remote_tag: None,
        }
    }

    pub(super) fn call_id(&mut self, value: &[u8]) -> &mut Self {
        self.call_id = self.put(value);
        self
    }

    pub(super) fn local(&mut self, value: &[u8]) -> &mut Self {
        self.local = self.put(value);
        self.local_tag = self.tag_between(self.call_id, self.local);
        self
    }

    /// A To value with the tag that it has; without one, this side adds `tag` to it.
    pub(super) fn local_with_tag(
        &mut self,
        value: &[u8],
        has: Option<&[u8]>,
        tag: &str,
    ) -> &mut Self {
        self.local = self.put(value);
        match has {
            Some(has) => self.local_tag = within(self.call_id, value, has),
            None => {
                let start = self.put(b";tag=");
                self.local = self.put(tag.as_bytes());
                self.local_tag = Some((start, self.local));
            }
        }
        self
    }

    /// The local address of another text, whose tag has been found.
    pub(super) fn local_of(&mut self, other: &Self) -> &mut Self {
        let value = other.local_bytes();
        let tag = other.local_tag.map(|(start, end)| other.slice(start..end));
        self.local = self.put(value);
        self.local_tag = tag.and_then(|tag| within(self.call_id, value, tag));
        self
    }

    /// The remote address, and the part of it that is its tag.
    pub(super) fn remote(&mut self, value: &[u8], tag: Option<&[u8]>) -> &mut Self {
        self.remote = self.put(value);
        self.remote_tag = tag.and_then(|tag| within(self.local, value, tag));
        self
    }

    /// The remote address of another text.
    pub(super) fn remote_of(&mut self, other: &Self) -> &mut Self {
        let tag = other.remote_tag.map(|(start, end)| other.slice(start..end));
        self.remote(other.remote_bytes(), tag)
    }

    pub(super) fn target(&mut self, value: &[u8]) -> &mut Self {
        self.target = self.put(value);
        // All values so far, in one look.
        unfold(&mut self.bytes);
        self
    }

    pub(super) fn route(&mut self, value: &[u8]) -> &mut Self {
        if self.end() > self.target {
            self.bytes.push(SEPARATOR);
        }
        let start = self.bytes.len();
        self.put(value);
        unfold(self.bytes.get_mut(start..).unwrap_or_default());
        self
    }

    pub(super) fn route_uri(&mut self, uri: &[u8]) -> &mut Self {
        self.route(b"<");
        let start = self.bytes.len();
        self.put(uri);
        unfold(self.bytes.get_mut(start..).unwrap_or_default());
        self.put(b">");
        self
    }

    /// Nothing more comes: what was set aside for it goes back.
    pub(super) fn finish(&mut self) {
        self.bytes.shrink_to_fit();
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn call_id_bytes(&self) -> &[u8] {
        self.slice(0..self.call_id)
    }

    pub(super) fn call_id_str(&self) -> &str {
        core::str::from_utf8(self.call_id_bytes()).unwrap_or("")
    }

    pub(super) fn local_bytes(&self) -> &[u8] {
        self.slice(self.call_id..self.local)
    }

    pub(super) fn remote_bytes(&self) -> &[u8] {
        self.slice(self.local..self.remote)
    }

    pub(super) fn target_bytes(&self) -> &[u8] {
        self.slice(self.remote..self.target)
    }

    pub(super) fn routes(&self) -> impl Iterator<Item = &[u8]> {
        self.slice(self.target..self.end())
            .split(|b| *b == SEPARATOR)
            .filter(|r| !r.is_empty())
    }

    pub(super) fn has_no_routes(&self) -> bool {
        self.end() == self.target
    }

    pub(super) fn local_tag(&self) -> Option<&str> {
        self.tag(self.local_tag)
    }

    pub(super) fn local_tag_bytes(&self) -> Option<&[u8]> {
        self.local_tag.map(|(start, end)| self.slice(start..end))
    }

    pub(super) fn remote_tag_bytes(&self) -> Option<&[u8]> {
        self.remote_tag.map(|(start, end)| self.slice(start..end))
    }

    pub(super) fn remote_tag(&self) -> Option<&str> {
        self.tag(self.remote_tag)
    }

    fn tag(&self, at: Option<(u32, u32)>) -> Option<&str> {
        let (start, end) = at?;
        core::str::from_utf8(self.slice(start..end)).ok()
    }

    /// Appends a value; returns where it ends.
    fn put(&mut self, value: &[u8]) -> u32 {
        self.bytes.extend_from_slice(value);
        self.end()
    }

    fn end(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    fn tag_between(&self, start: u32, end: u32) -> Option<(u32, u32)> {
        let value = self.slice(start..end);
        let tag = match own_tag(value) {
            Some(tag) => tag,
            None => NameAddr::tag_of(value).ok()??,
        };
        within(start, value, tag)
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        self.bytes
            .get(range.start as usize..range.end as usize)
            .unwrap_or(&[])
    }
}

/// Makes one line of values, whatever folding they came with.
fn unfold(text: &mut [u8]) {
    if memchr::memchr2(b'\r', b'\n', text).is_some() {
        for b in text {
            *b = if matches!(b, b'\r' | b'\n') { b' ' } else { *b };
        }
    }
}

/// The tag of an address as this side writes them: in angle brackets, with nothing but the tag behind.
fn own_tag(value: &[u8]) -> Option<&[u8]> {
    let (address, tag) = value.split_at_checked(memchr::memrchr(b';', value)?)?;
    let tag = tag.strip_prefix(b";tag=")?;
    let is_own = address.ends_with(b">") && !tag.is_empty();
    (is_own && is_token(tag)).then_some(tag)
}

/// Where a part of `value` stands, if `value` stands at `start`.
fn within(start: u32, value: &[u8], part: &[u8]) -> Option<(u32, u32)> {
    let (from, to) = range_in(value, part)?;
    Some((start.checked_add(from)?, start.checked_add(to)?))
}
