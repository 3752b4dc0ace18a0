//! Date (RFC 3261 20.17).

use core::fmt;

use super::super::scan::trim;
use super::super::value_error::{ValueError, ValueErrorKind};

/// A date in the one form of SIP: `Sat, 13 Nov 2010 23:29:00 GMT`. The weekday is not compared
/// with the day.
///
/// ```
/// use drongo::message::Date;
///
/// let date = Date::parse(b"Sat, 13 Nov 2010 23:29:00 GMT").unwrap();
/// assert_eq!((date.year, date.month, date.day), (2010, 11, 13));
/// assert_eq!(date.unix_seconds(), 1_289_690_940);
/// assert!(Date::parse(b"Sat, 13 Nov 2010 23:29:00 EST").is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the grammar has these parts")]
pub struct Date {
    /// The weekday, from 0 for Monday to 6 for Sunday.
    pub weekday: u8,
    /// The year, four digits.
    pub year: u16,
    /// The month, from 1 to 12.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
    /// The hour, from 0 to 23.
    pub hour: u8,
    /// The minute, from 0 to 59.
    pub minute: u8,
    /// The second, from 0 to 60: 60 is a leap second.
    pub second: u8,
}

const WEEKDAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

impl Date {
    /// Reads a whole value.
    ///
    /// # Errors
    ///
    /// [`Date`](ValueErrorKind::Date) if it is another form or another time zone, or if there is no
    /// such day.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let error = ValueError::new(ValueErrorKind::Date, 0);
        parse(trim(value)).ok_or(error)
    }

    /// Seconds since 1970 began; negative before. A leap second counts as the one after it.
    pub fn unix_seconds(&self) -> i64 {
        let days = days_since_1970(self.year, self.month, self.day);
        let units = [(24, self.hour), (60, self.minute), (60, self.second)];
        units.iter().fold(days, |total, &(in_one, part)| {
            total.saturating_mul(in_one).saturating_add(i64::from(part))
        })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |names: &[&'static [u8; 3]], at: usize| {
            let name = names
                .get(at)
                .and_then(|name| core::str::from_utf8(*name).ok());
            name.unwrap_or_default()
        };
        let month = usize::from(self.month).saturating_sub(1);
        write!(
            f,
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
            name(&WEEKDAYS, usize::from(self.weekday)),
            self.day,
            name(&MONTHS, month),
            self.year,
            self.hour,
            self.minute,
            self.second
        )
    }
}

fn parse(text: &[u8]) -> Option<Date> {
    let (weekday, rest) = text.split_first_chunk::<3>()?;
    let (day, rest) = rest.strip_prefix(b", ")?.split_at_checked(2)?;
    let (month, rest) = rest.strip_prefix(b" ")?.split_first_chunk::<3>()?;
    let (year, rest) = rest.strip_prefix(b" ")?.split_at_checked(4)?;
    let (hour, rest) = rest.strip_prefix(b" ")?.split_at_checked(2)?;
    let (minute, rest) = rest.strip_prefix(b":")?.split_at_checked(2)?;
    let (second, rest) = rest.strip_prefix(b":")?.split_at_checked(2)?;
    if rest != b" GMT" {
        return None;
    }
    let month = place(&MONTHS, month)?.checked_add(1)?;
    let date = Date {
        weekday: place(&WEEKDAYS, weekday)?,
        year: number(year, 0, 9999)?,
        month,
        day: u8::try_from(number(day, 1, 31)?).ok()?,
        hour: u8::try_from(number(hour, 0, 23)?).ok()?,
        minute: u8::try_from(number(minute, 0, 59)?).ok()?,
        second: u8::try_from(number(second, 0, 60)?).ok()?,
    };
    (date.day <= days_in(date.year, month)).then_some(date)
}

fn place(names: &[&[u8; 3]], name: &[u8; 3]) -> Option<u8> {
    let at = names.iter().position(|known| *known == name)?;
    u8::try_from(at).ok()
}

fn number(digits: &[u8], least: u16, most: u16) -> Option<u16> {
    let value = super::super::scan::digits(digits).ok()?;
    u16::try_from(value)
        .ok()
        .filter(|n| (least..=most).contains(n))
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: u16, month: u8, day: u8) -> i64 {
    // Years that begin in March have the leap day at their end.
    let before_march = i64::from(month < 3);
    let year = i64::from(year).saturating_sub(before_march);
    let month = i64::from(month).saturating_sub(3).rem_euclid(12);
    let in_year = month.saturating_mul(153).saturating_add(2).div_euclid(5);
    let leaps = year
        .div_euclid(4)
        .saturating_sub(year.div_euclid(100))
        .saturating_add(year.div_euclid(400));
    // 1 March of the year 0 was 719,469 days before 2 January 1970; days count from 1.
    year.saturating_mul(365)
        .saturating_add(leaps)
        .saturating_add(in_year)
        .saturating_add(i64::from(day))
        .saturating_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_one_form_and_one_time_zone() {
        // 3261-20.17-01, 3261-25.1-35
        let text = "Sat, 13 Nov 2010 23:29:00 GMT";
        assert_eq!(Date::parse(text.as_bytes()).unwrap().to_string(), text);
        for wrong in [
            "Sat, 13 Nov 2010 23:29:00 EST",
            "Sat, 13 Nov 2010 23:29:00 UTC",
            "Sat, 13 Nov 2010 23:29:00 UT",
            "Sat, 13 Nov 2010 23:29:00 gmt",
            "sat, 13 Nov 2010 23:29:00 GMT",
            "Sat, 13 nov 2010 23:29:00 GMT",
            "Sat, 3 Nov 2010 23:29:00 GMT",
            "Sat,  13 Nov 2010 23:29:00 GMT",
            "Sat,13 Nov 2010 23:29:00 GMT",
            "Saturday, 13-Nov-10 23:29:00 GMT",
            "Sat, 13 Nov 2010 24:29:00 GMT",
            "Sat, 31 Nov 2010 23:29:00 GMT",
            "Sat, 13 Nov 2010 23:29:00 GMT+1",
            "2010-11-13T23:29:00Z",
            "",
        ] {
            assert_eq!(
                Date::parse(wrong.as_bytes()).unwrap_err().kind,
                ValueErrorKind::Date
            );
        }
    }

    #[test]
    fn seconds_count_from_1970() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
            ("Sat, 01 Jan 0000 00:00:00 GMT", -62_167_219_200),
        ] {
            assert_eq!(
                Date::parse(text.as_bytes()).unwrap().unix_seconds(),
                seconds,
                "{text}"
            );
        }
        assert!(Date::parse(b"Wed, 29 Feb 1900 00:00:00 GMT").is_err());
    }
}
