//! How a server fits this command: its version, and its clock.
//!
//! A server tells both by `zsvc.reflection.v1.Reflection/server`. What is made of it here needs neither a server nor a clock.

use std::time::Duration;

use zsvc::Timestamp;

use super::finding::Finding;
use crate::live::failure::shown;
use crate::live::reflection::ServerInfo;

/// The version of this command.
pub(crate) const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the protocol that this command speaks.
const OWN_PROTOCOL: u64 = zsvc_proto::wire::VERSION as u64;

/// The implementations whose versions are numbered as this command is.
const OURS: [&str; 2] = ["rust", "python"];

/// Clocks that are surely further apart than this are bad: those of machines that follow a time server differ by much less.
const MAX_OFFSET_NANOSECONDS: i128 = 1_000_000_000;

/// Compares the versions of a server with those of this command.
pub(crate) fn versions(server: &ServerInfo) -> Finding {
    const ABOUT: &str = "versions";
    let (theirs, implementation) = (shown(&server.version), shown(&server.implementation));
    let is = format!("the server is zsvc {theirs} ({implementation}), protocol {}", server.protocol);
    if server.protocol != OWN_PROTOCOL {
        let found = format!("{is}; this command speaks protocol {OWN_PROTOCOL}");
        return Finding::bad(ABOUT, found, "use a command and a server of one version");
    }
    if server.version == OWN_VERSION || !OURS.contains(&server.implementation.as_str()) {
        return Finding::good(ABOUT, is);
    }
    let found = format!("{is}; this command is {OWN_VERSION}");
    match (numbers(&server.version), numbers(OWN_VERSION)) {
        (Some(one), Some(other)) if is_compatible(one, other) => Finding::good(ABOUT, found),
        _ => Finding::bad(
            ABOUT,
            found,
            "they talk to each other, but what only the newer one knows is missing: use a command of the server's version",
        ),
    }
}

/// Reads the three numbers of a version.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let release = version.split(['-', '+']).next()?;
    let mut parts = release.split('.').map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

/// Returns whether Semantic Versioning calls versions compatible: they have the first number that is not 0 in common, and those before.
fn is_compatible(one: [u64; 3], other: [u64; 3]) -> bool {
    let first = one.iter().position(|number| *number != 0).unwrap_or(2);
    one[..=first] == other[..=first]
}

/// How far a server's clock is ahead of ours, as one round trip tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockOffset {
    /// Nanoseconds by which it is ahead; less than 0 if it is behind.
    ahead: i128,
    /// The true offset is at most this many nanoseconds away.
    uncertainty: i128,
}

impl ClockOffset {
    /// Estimates it of a question that was sent at a time by our clock, and answered with the server's time after a round trip.
    ///
    /// The server has read its clock somewhere within the round trip: in the middle of it, or half of it away.
    pub(crate) fn of(sent: Timestamp, round_trip: Duration, server: Timestamp) -> Self {
        let half = i128::try_from(round_trip.as_nanos()).unwrap_or(i128::MAX) / 2;
        Self { ahead: nanoseconds(server) - nanoseconds(sent) - half, uncertainty: half }
    }

    /// Returns the one of two estimates that is less uncertain.
    pub(crate) fn or_better(self, other: Self) -> Self {
        if other.uncertainty < self.uncertainty { other } else { self }
    }

    pub(crate) fn finding(self) -> Finding {
        const ABOUT: &str = "clocks";
        let (off, uncertainty) = (self.ahead.abs(), time(self.uncertainty));
        if off <= self.uncertainty {
            return Finding::good(ABOUT, format!("the server's clock agrees with ours within {uncertainty}"));
        }
        let way = if self.ahead > 0 { "ahead of" } else { "behind" };
        let found = format!("the server's clock is {} {way} ours, ± {uncertainty}", time(off));
        if off - self.uncertainty > MAX_OFFSET_NANOSECONDS {
            let advice =
                "more than 1 s: set both by a time server; tokens end by them, and timestamps are compared";
            return Finding::bad(ABOUT, found, advice);
        }
        Finding::good(ABOUT, found)
    }
}

/// Returns the nanoseconds since 1970.
fn nanoseconds(time: Timestamp) -> i128 {
    i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanoseconds())
}

#[allow(clippy::cast_precision_loss, reason = "shown with few digits")]
fn time(nanoseconds: i128) -> String {
    let seconds = nanoseconds as f64 / 1e9;
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.1} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(implementation: &str, version: &str, protocol: u64) -> ServerInfo {
        ServerInfo {
            implementation: implementation.to_owned(),
            version: version.to_owned(),
            protocol,
            now: Timestamp::EPOCH,
        }
    }

    #[test]
    fn versions_fit_as_semantic_versioning_says() {
        for (one, other, fits) in [
            ("0.1.0", "0.1.9", true),
            ("0.1.0", "0.2.0", false),
            ("1.2.3", "1.9.0-rc.1", true),
            ("1.2.3", "2.0.0", false),
            ("0.0.1", "0.0.2", false),
            ("0.0.0", "0.0.0+a", true),
        ] {
            let [one, other] = [one, other].map(|version| numbers(version).expect("three numbers"));
            assert_eq!(is_compatible(one, other), fits, "{one:?} {other:?}");
            assert_eq!(is_compatible(other, one), fits, "{one:?} {other:?}");
        }
        for none in ["", "1", "1.2", "1.2.3.4", "1.2.x", "99999999999999999999.0.0"] {
            assert_eq!(numbers(none), None, "{none}");
        }
    }

    #[test]
    fn versions_of_another_kind_are_told_and_not_compared() {
        for (server, is_bad) in [
            (info("rust", OWN_VERSION, 1), false),
            (info("python", OWN_VERSION, 1), false),
            (info("rust", "97.0.0", 1), true),
            (info("python", "of today", 1), true),
            (info("go", "97.0.0", 1), false),
            (info("go", OWN_VERSION, 2), true),
        ] {
            assert_eq!(versions(&server).is_bad(), is_bad, "{server:?}");
        }
    }

    #[test]
    fn an_offset_is_known_to_half_of_a_round_trip() {
        let sent = Timestamp::from_seconds(1_000);
        let at = |milliseconds: u64| sent.checked_add(Duration::from_millis(milliseconds)).expect("in range");
        let offset = |server| ClockOffset::of(sent, Duration::from_millis(20), server);
        assert_eq!(offset(at(10)), ClockOffset { ahead: 0, uncertainty: 10_000_000 });
        assert_eq!(offset(at(40)).ahead, 30_000_000);
        assert_eq!(offset(sent).ahead, -10_000_000);
        let better = ClockOffset::of(sent, Duration::from_millis(2), at(5));
        assert_eq!(offset(at(10)).or_better(better), better);
        assert_eq!(better.or_better(offset(at(10))), better);
    }

    #[test]
    fn clocks_are_bad_where_they_are_surely_more_than_a_second_apart() {
        const MILLISECOND: i128 = 1_000_000;
        for (ahead, uncertainty, is_bad, says) in [
            (2, 3, false, "agrees with ours within 3.0 ms"),
            (-40, 3, false, "40.0 ms behind ours, ± 3.0 ms"),
            (1_002, 3, false, "1.0 s ahead of ours"),
            (1_004, 3, true, "1.0 s ahead of ours, ± 3.0 ms"),
            (-90_000, 500, true, "90.0 s behind ours, ± 500.0 ms"),
            (1_500, 2_000, false, "within 2.0 s"),
        ] {
            let offset = ClockOffset { ahead: ahead * MILLISECOND, uncertainty: uncertainty * MILLISECOND };
            let finding = offset.finding();
            assert_eq!(finding.is_bad(), is_bad, "{finding:?}");
            assert!(format!("{finding:?}").contains(says), "{finding:?}");
        }
        // The ends of time are no further apart than can be counted.
        let [first, last] = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"];
        let [first, last] = [first, last].map(|text| text.parse().expect("a time"));
        for (sent, server) in [(first, last), (last, first)] {
            assert!(ClockOffset::of(sent, Duration::from_secs(1), server).finding().is_bad());
        }
    }
}
