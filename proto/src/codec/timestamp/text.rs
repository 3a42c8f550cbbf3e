//! Timestamps as text: RFC 3339 in UTC, `2026-03-01T12:00:00.25Z`.
//!
//! Years go from 0 to 9999. Outside of them a timestamp is written as seconds since 1970, `-62167219201.5`, which can
//! be read, too.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::{NANOSECONDS_PER_SECOND, Timestamp};

const SECONDS_PER_DAY: i64 = 86_400;
/// The seconds since 1970 that RFC 3339 can express: from 1 January of the year 0 to before that of the year 10000.
const CALENDAR_SECONDS: std::ops::Range<i64> = -62_167_219_200..253_402_300_800;

/// The error of a text that is no timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseTimestampError(());

impl Display for ParseTimestampError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("not a point in time such as `2026-03-01T12:00:00Z`")
    }
}

impl Error for ParseTimestampError {}

impl Display for Timestamp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !CALENDAR_SECONDS.contains(&self.seconds) {
            return write_seconds(*self, f);
        }
        let (year, month, day) = date_of(self.seconds.div_euclid(SECONDS_PER_DAY));
        let second = self.seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        write_fraction(self.nanoseconds, f)?;
        f.write_str("Z")
    }
}

fn write_seconds(time: Timestamp, f: &mut Formatter<'_>) -> fmt::Result {
    if time.seconds >= 0 || time.nanoseconds == 0 {
        write!(f, "{}", time.seconds)?;
        return write_fraction(time.nanoseconds, f);
    }
    // The nanoseconds count up from the second below, while the digits count away from zero.
    write!(f, "-{}", (time.seconds + 1).unsigned_abs())?;
    write_fraction(NANOSECONDS_PER_SECOND - time.nanoseconds, f)
}

fn write_fraction(nanoseconds: u32, f: &mut Formatter<'_>) -> fmt::Result {
    if nanoseconds == 0 {
        return Ok(());
    }
    write!(f, ".{}", format!("{nanoseconds:09}").trim_end_matches('0'))
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Reads what `Display` writes, and RFC 3339 with any offset. Digits past the ninth are cut off.
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        parse_date_time(text).or_else(|| parse_seconds(text)).ok_or(ParseTimestampError(()))
    }
}

fn parse_date_time(text: &str) -> Option<Timestamp> {
    let mut text = Digits(text.as_bytes());
    let (year, month, day) = (text.number(4)?, text.after(b"-", 2)?, text.after(b"-", 2)?);
    let (hour, minute, second) = (text.after(b"Tt ", 2)?, text.after(b":", 2)?, text.after(b":", 2)?);
    let nanoseconds = text.fraction()?;
    let offset = text.offset()?;
    // RFC 3339 writes a leap second as 60; it is the same point in time as the second after it.
    if !text.0.is_empty() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let day = day_of(year, month, day)?;
    Timestamp::new(day * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset, nanoseconds)
}

fn parse_seconds(text: &str) -> Option<Timestamp> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let whole = rest.split('.').next()?;
    let mut fraction = Digits(&rest.as_bytes()[whole.len()..]);
    let nanoseconds = fraction.fraction()?;
    if !fraction.0.is_empty() || whole.is_empty() || !whole.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    if negative {
        let nearest = Timestamp::from_seconds(0i64.checked_sub_unsigned(whole)?);
        return nearest.checked_sub(std::time::Duration::from_nanos(nanoseconds.into()));
    }
    Timestamp::new(i64::try_from(whole).ok()?, nanoseconds)
}

/// The part of a text that is not read yet.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    /// Takes a number of exactly `digits` digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let digits = self.0.split_off(..digits)?;
        digits.iter().try_fold(0, |number, digit| Some(number * 10 + value_of(*digit)?))
    }

    /// Takes a number of exactly `digits` digits after one of the separators.
    fn after(&mut self, separators: &[u8], digits: usize) -> Option<i64> {
        let separator = self.0.split_off_first()?;
        if separators.contains(separator) { self.number(digits) } else { None }
    }

    /// Takes the nanoseconds after a decimal point, or 0 if there is no point.
    fn fraction(&mut self) -> Option<u32> {
        if !self.0.starts_with(b".") {
            return Some(0);
        }
        let digits = self.0[1..].iter().take_while(|digit| digit.is_ascii_digit()).count();
        let digits = &self.0.split_off(..=digits)?[1..];
        let first_nine = digits.iter().copied().chain([b'0'; 9]).take(9);
        let number = first_nine.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        (!digits.is_empty()).then_some(number)
    }

    /// Takes an offset. Returns the seconds by which the local time is ahead of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.0.first()? {
            b'Z' | b'z' => return self.0.split_off_first().map(|_| 0),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, minutes) = (self.after(b"+-", 2)?, self.after(b":", 2)?);
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

fn value_of(digit: u8) -> Option<i64> {
    digit.is_ascii_digit().then(|| i64::from(digit - b'0'))
}

// The calendar in both directions, by eras of 400 years that start on 1 March, so that the leap day is the
// last of its year: http://howardhinnant.github.io/date_algorithms.html

/// Returns year, month and day of a day counted from 1970.
fn date_of(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Returns the day counted from 1970, or `None` for a date that does not exist.
fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) {
        return None;
    }
    let from_march = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (from_march.div_euclid(400), from_march.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let count = era * 146_097 + day_of_era - 719_468;
    (date_of(count) == (year, month, day)).then_some(count)
}
