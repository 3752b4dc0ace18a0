//! Server and User-Agent: what software speaks (RFC 3261 20.35, 20.41).

use core::fmt;

use super::super::scan::{Cursor, is_visible};
use super::super::simple::comment;
use super::super::value_error::{ValueError, ValueErrorKind};

/// One word of Server or User-Agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the grammar has these two forms")]
pub enum Product<'a> {
    /// A product and its version, both as they came.
    Product {
        /// The name.
        name: &'a [u8],
        /// What stands behind the `/`.
        version: Option<&'a [u8]>,
    },
    /// A comment with its parentheses; others may nest in it.
    Comment(&'a [u8]),
}

/// The words of Server or User-Agent in order. An error ends them.
///
/// Names may hold any visible byte but parentheses, which is more than the grammar has: what
/// software calls itself decides nothing.
///
/// ```
/// use drongo::message::{Product, Products};
///
/// let mut words = Products::new(b"Softphone/Beta1.5 (Unix (BSD))");
/// let softphone = Product::Product { name: b"Softphone", version: Some(b"Beta1.5") };
/// assert_eq!(words.next(), Some(Ok(softphone)));
/// assert_eq!(words.next(), Some(Ok(Product::Comment(b"(Unix (BSD))"))));
/// assert_eq!(words.next(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Products<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Products<'a> {
    /// The words of a whole value.
    pub const fn new(value: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(value),
        }
    }

    fn read(&mut self) -> Result<Product<'a>, ValueError> {
        if self.cursor.peek() == Some(b'(') {
            return comment(&mut self.cursor).map(Product::Comment);
        }
        let error = self.cursor.error(ValueErrorKind::Token);
        let name = self.word();
        if name.is_empty() {
            return Err(error);
        }
        let mut ahead = self.cursor;
        ahead.skip_lws();
        if !ahead.eat(b'/') {
            return Ok(Product::Product {
                name,
                version: None,
            });
        }
        ahead.skip_lws();
        self.cursor = ahead;
        let version = Some(self.word()).filter(|version| !version.is_empty());
        Ok(Product::Product { name, version })
    }

    fn word(&mut self) -> &'a [u8] {
        self.cursor
            .take_while(|b| is_visible(b) && !matches!(b, b'(' | b')' | b'/'))
    }
}

impl<'a> Iterator for Products<'a> {
    type Item = Result<Product<'a>, ValueError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.cursor.skip_lws();
        if self.cursor.is_at_end() {
            return None;
        }
        let word = self.read();
        if word.is_err() {
            self.cursor = Cursor::new(&[]);
        }
        Some(word)
    }
}

impl fmt::Debug for Product<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product { name, version } => {
                write!(f, "Product({}", name.escape_ascii())?;
                if let Some(version) = version {
                    write!(f, "/{}", version.escape_ascii())?;
                }
                f.write_str(")")
            }
            Self::Comment(text) => write!(f, "Comment({})", text.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_comments_come_in_order_and_comments_nest() {
        // 3261-20.35-02
        let text = b"HomeServer v2\r\n (a (b \\) c)) x / 1.0 (d)";
        let words: Result<Vec<_>, _> = Products::new(text).collect();
        let product = |name, version| Product::Product { name, version };
        assert_eq!(
            words.unwrap(),
            [
                product(b"HomeServer", None),
                product(b"v2", None),
                Product::Comment(b"(a (b \\) c))"),
                product(b"x", Some(b"1.0")),
                Product::Comment(b"(d)"),
            ]
        );
        let comma: Vec<_> = Products::new(b"Foo (x, y)").collect();
        assert_eq!(comma.len(), 2);
    }

    #[test]
    fn what_is_not_closed_ends_the_words() {
        for text in ["a (b", "a )", "a (b (c)", "/1.0"] {
            let words: Vec<_> = Products::new(text.as_bytes()).collect();
            assert!(words.last().unwrap().is_err(), "{text}");
            assert!(words.len() <= 2);
        }
    }
}
