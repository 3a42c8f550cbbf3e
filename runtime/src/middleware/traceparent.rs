//! [`TraceParent`]: the header `traceparent`, read and written as W3C Trace Context specifies it.
//!
//! <https://www.w3.org/TR/trace-context/#traceparent-header>

use std::fmt;

use crate::fork;

/// A position in a trace: the ids of the trace and the span, and whether the trace is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceParent {
    /// Id of the trace; not zero.
    pub(super) trace: u128,
    /// Id of the span; not zero.
    pub(super) span: u64,
    pub(super) sampled: bool,
}

/// Flag of a caller that may have recorded its part. Other flags are of later versions: they are neither read nor passed on.
const SAMPLED: u8 = 1;

/// Length of a header of version 00 in bytes.
const LENGTH: usize = 55;

impl TraceParent {
    /// Begins a new trace.
    pub(super) fn root() -> Self {
        let trace = u128::from(random()) << 64 | u128::from(random());
        Self { trace, span: random(), sampled: true }
    }

    /// Returns another span of the same trace.
    pub(super) fn child(self) -> Self {
        Self { span: random(), ..self }
    }

    /// Parses a header. Returns `None` for one that is not valid, where a new trace begins.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let dashes = [2, 35, 52].iter().all(|at| bytes.get(*at) == Some(&b'-'));
        let version = u8::try_from(hex(bytes.get(..2)?)?).ok()?;
        // A later version may have more fields, after another dash.
        let end = match bytes.get(LENGTH) {
            None => bytes.len() == LENGTH,
            Some(next) => version > 0 && *next == b'-',
        };
        if !dashes || !end || version == 0xff {
            return None;
        }
        let trace = hex(&bytes[3..35]).filter(|trace| *trace != 0)?;
        let span = u64::try_from(hex(&bytes[36..52])?).ok().filter(|span| *span != 0)?;
        let flags = u8::try_from(hex(&bytes[53..LENGTH])?).ok()?;
        Some(Self { trace, span, sampled: flags & SAMPLED != 0 })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled) * SAMPLED)
    }
}

/// Parses hexadecimal digits. Only those in lower case are valid.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// Returns a random number that is not zero.
fn random() -> u64 {
    fork::random().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_valid_is_read_and_written_again() {
        let parent = TraceParent::parse(VALID).unwrap();
        assert_eq!(parent.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((parent.span, parent.sampled), (0xb7ad_6b71_6920_3331, true));
        assert_eq!(parent.to_string(), VALID);
        let child = parent.child();
        assert_eq!((child.trace, child.sampled), (parent.trace, true));
        assert_ne!(child.span, parent.span);
    }

    #[test]
    fn flags_of_later_versions_are_not_passed_on() {
        let flags = |flags: &str| TraceParent::parse(&VALID.replace("-01", flags)).unwrap().to_string();
        assert!(flags("-ff").ends_with("-01"));
        assert!(flags("-fe").ends_with("-00"));
        assert!(flags("-00").ends_with("-00"));
    }

    #[test]
    fn later_versions_may_have_more() {
        let later = VALID.replacen("00", "cc", 1);
        let more = format!("{later}-what-the-future-will-be-like");
        for text in [later.as_str(), more.as_str(), &format!("{later}-")] {
            assert_eq!(TraceParent::parse(text), TraceParent::parse(VALID), "{text}");
        }
        assert_eq!(TraceParent::parse(&format!("{later}.what")), None);
    }

    #[test]
    fn what_is_not_valid_is_not_taken() {
        let wrong = [
            "",
            "00",
            &VALID[..54],
            &format!("{VALID}-"),
            &format!("{VALID}-00"),
            &VALID.replacen("00", "ff", 1),
            &VALID.replacen("00", "0G", 1),
            &VALID.to_uppercase(),
            &VALID.replace('-', "_"),
            &VALID.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &VALID.replace("b7ad6b7169203331", &"0".repeat(16)),
            &VALID.replace("b7ad", "b7a."),
            &VALID.replace("-01", "-.1"),
            &VALID.replace("0af7", "äf7"),
        ];
        for text in wrong {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_trace_is_another() {
        let (one, other) = (TraceParent::root(), TraceParent::root());
        assert_ne!(one.trace, other.trace);
        assert_ne!(one.span, other.span);
        assert_eq!(TraceParent::parse(&one.to_string()), Some(one));
    }
}
