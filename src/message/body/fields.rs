//! Header lines inside a body.

use super::super::scan::{is_token, trim};
use super::super::{Header, Name};

/// Header lines, one at a time: those of a part or a fragment. What is no header line ends them as
/// an error: its offset.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    whole: usize,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn new(block: &'a [u8]) -> Self {
        Self {
            whole: block.len(),
            rest: block,
        }
    }

    fn read(&mut self) -> Option<Header<'a>> {
        let end = line_end(self.rest);
        let (line, rest) = self.rest.split_at_checked(end)?;
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at_checked(colon)?;
        let raw_name = name.trim_ascii_end();
        if !is_token(raw_name) {
            return None;
        }
        self.rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
        Some(Header {
            name: Name::parse(raw_name),
            raw_name,
            value: trim(value.get(1..)?),
        })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Header<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.whole.saturating_sub(self.rest.len());
        let header = self.read().ok_or(offset);
        if header.is_err() {
            self.rest = &[];
        }
        Some(header)
    }
}

/// Where the line ends, its continuations included: at a CRLF that no white space follows.
fn line_end(bytes: &[u8]) -> usize {
    let breaks = memchr::memmem::find_iter(bytes, b"\r\n");
    for at in breaks {
        let next = bytes.get(at.saturating_add(2));
        if !matches!(next, Some(b' ' | b'\t')) {
            return at;
        }
    }
    bytes.len()
}

/// Splits headers from what follows their empty line; `None` if there is none. A block that begins
/// with the empty line has no header.
pub(super) fn split_block(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    if let Some(content) = bytes.strip_prefix(b"\r\n") {
        return (&[], Some(content));
    }
    let Some(at) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return (bytes, None);
    };
    let (block, rest) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
    (block, rest.get(4..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fold_and_end_at_the_first_that_is_none() {
        let block = b"Content-Type : text/plain;\r\n charset=utf-8\r\nX-a:b\r\nnone\r\nY: z";
        let fields: Vec<_> = Fields::new(block).collect();
        let header = fields[0].unwrap();
        assert_eq!(header.name, Name::ContentType);
        assert_eq!(header.value, b"text/plain;\r\n charset=utf-8");
        assert_eq!(fields[1].unwrap().raw_name, b"X-a");
        assert_eq!((fields[2], fields.len()), (Err(51), 3));
        assert_eq!(Fields::new(b": x").collect::<Vec<_>>(), [Err(0)]);
    }

    #[test]
    fn an_empty_line_ends_the_block() {
        assert_eq!(
            split_block(b"A: b\r\n\r\nbody"),
            (&b"A: b"[..], Some(&b"body"[..]))
        );
        assert_eq!(split_block(b"\r\nbody"), (&b""[..], Some(&b"body"[..])));
        assert_eq!(split_block(b"A: b\r\n"), (&b"A: b\r\n"[..], None));
    }
}
