//! Timestamps: MessagePack's three forms, arithmetic and text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rmpv::Value;

use super::{check, complaint, read, written};
use crate::codec::{Plain, Timestamp};

fn at(seconds: i64, nanoseconds: u32) -> Timestamp {
    Timestamp::new(seconds, nanoseconds).expect("fewer nanoseconds than a second has")
}

#[test]
fn the_shortest_form_is_written() {
    check::<Plain, Timestamp>(&Timestamp::EPOCH, &[0xd6, 0xff, 0, 0, 0, 0]);
    check::<Plain, Timestamp>(&at(0xffff_ffff, 0), &[0xd6, 0xff, 255, 255, 255, 255]);
    check::<Plain, Timestamp>(&at(0x1_0000_0000, 0), &[0xd7, 0xff, 0, 0, 0, 1, 0, 0, 0, 0]);
    check::<Plain, Timestamp>(&at(1, 1), &[0xd7, 0xff, 0, 0, 0, 4, 0, 0, 0, 1]);
    check::<Plain, Timestamp>(&at((1 << 34) - 1, 0), &[0xd7, 0xff, 0, 0, 0, 3, 255, 255, 255, 255]);
    check::<Plain, Timestamp>(&at(1 << 34, 2), &[0xc7, 12, 0xff, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 0]);
    check::<Plain, Timestamp>(
        &at(-1, 0),
        &[0xc7, 12, 0xff, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
    );
    check::<Plain, Vec<Timestamp>>(
        &vec![Timestamp::MIN, Timestamp::MAX],
        &[
            0x92, 0xc7, 12, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0xc7, 12, 0xff, 0x3b, 0x9a, 0xc9,
            0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255,
        ],
    );
}

#[test]
fn longer_forms_and_values_are_read_too() {
    assert_eq!(read::<Plain, Timestamp>(&[0xd7, 0xff, 0, 0, 0, 0, 0, 0, 0, 5]), Ok(at(5, 0)));
    assert_eq!(read::<Plain, Timestamp>(&[0xc7, 12, 0xff, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 5]), Ok(at(5, 7)));
    for time in [at(5, 0), at(5, 7), at(-5, 7)] {
        let value = read::<Plain, Value>(&written::<Plain, _>(&time)).expect("an extension is a value");
        assert_eq!(rmpv::ext::from_value::<Timestamp>(value).ok(), Some(time));
    }
}

#[test]
fn what_is_no_timestamp_is_told() {
    let expected = "expected a timestamp, which is MessagePack's extension type -1";
    assert_eq!(
        complaint::<Plain, Timestamp>(&[0xd6, 5, 0, 0, 0, 0]),
        format!("invalid type: another extension type, {expected}")
    );
    assert_eq!(complaint::<Plain, Timestamp>(&[5]), "invalid type: number");
    assert_eq!(complaint::<Plain, Timestamp>(b"\xa4noon"), "invalid type: string");
    assert_eq!(
        complaint::<Plain, Timestamp>(&[0xd4, 0xff, 0]),
        "invalid value: byte array, expected 4, 8 or 12 bytes with fewer than 1,000,000,000 nanoseconds"
    );
    let too_many = [0xc7, 12, 0xff, 0x3b, 0x9a, 0xca, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert!(complaint::<Plain, Timestamp>(&too_many).starts_with("invalid value"));
    assert!(
        complaint::<Plain, Timestamp>(&[0xd7, 0xff, 255, 255, 255, 255, 0, 0, 0, 0])
            .starts_with("invalid value")
    );
}

#[test]
fn only_whole_timestamps_are_made() {
    assert_eq!(Timestamp::new(0, 1_000_000_000), None);
    assert_eq!(Timestamp::default(), Timestamp::EPOCH);
    assert!(at(-1, 999_999_999) < at(0, 0) && at(0, 0) < at(0, 1));
    assert_eq!((at(-2, 3).seconds(), at(-2, 3).nanoseconds()), (-2, 3));
}

#[test]
fn arithmetic_ends_where_time_ends() {
    let half = Duration::from_millis(500);
    assert_eq!(at(1, 600_000_000).checked_add(half), Some(at(2, 100_000_000)));
    assert_eq!(at(0, 100_000_000).checked_sub(half), Some(at(-1, 600_000_000)));
    assert_eq!(at(1, 100_000_000).checked_duration_since(at(0, 600_000_000)), Some(half));
    assert_eq!(at(0, 0).checked_duration_since(at(0, 1)), None);
    assert_eq!(Timestamp::MAX.checked_add(Duration::from_nanos(1)), None);
    assert_eq!(Timestamp::MAX.checked_add(Duration::MAX), None);
    assert_eq!(Timestamp::MIN.checked_sub(Duration::from_nanos(1)), None);
    let all = Timestamp::MAX.checked_duration_since(Timestamp::MIN);
    assert_eq!(all, Some(Duration::new(u64::MAX, 999_999_999)));
}

#[test]
fn system_times_convert() {
    for time in [UNIX_EPOCH, UNIX_EPOCH + Duration::new(5, 7), UNIX_EPOCH - Duration::new(5, 7)] {
        assert_eq!(SystemTime::try_from(Timestamp::from(time)), Ok(time));
    }
    assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::new(5, 7)), at(-6, 999_999_993));
    assert!(Timestamp::now() > at(1_700_000_000, 0));
}

#[test]
fn text_is_rfc_3339() {
    for (time, text) in [
        (Timestamp::EPOCH, "1970-01-01T00:00:00Z"),
        (at(1_772_366_400, 250_000_000), "2026-03-01T12:00:00.25Z"),
        (at(951_782_399, 1), "2000-02-28T23:59:59.000000001Z"),
        (at(951_782_400, 0), "2000-02-29T00:00:00Z"),
        (at(-1, 500_000_000), "1969-12-31T23:59:59.5Z"),
        (at(-62_167_219_200, 0), "0000-01-01T00:00:00Z"),
        (at(253_402_300_799, 999_999_999), "9999-12-31T23:59:59.999999999Z"),
        (at(253_402_300_800, 0), "253402300800"),
        (at(253_402_300_800, 20_000_000), "253402300800.02"),
        (at(-62_167_219_201, 0), "-62167219201"),
        (at(-62_167_219_202, 500_000_000), "-62167219201.5"),
        (Timestamp::MAX, "9223372036854775807.999999999"),
        (Timestamp::MIN, "-9223372036854775808"),
    ] {
        assert_eq!(time.to_string(), text);
        assert_eq!(text.parse(), Ok(time), "{text}");
    }
}

#[test]
fn other_spellings_are_read() {
    let noon = at(1_772_366_400, 0);
    for text in [
        "2026-03-01 12:00:00z",
        "2026-03-01t12:00:00+00:00",
        "2026-03-01T13:30:00+01:30",
        "2026-03-01T04:00:00-08:00",
    ] {
        assert_eq!(text.parse(), Ok(noon), "{text}");
    }
    assert_eq!("2016-12-31T23:59:60Z".parse(), Ok(at(1_483_228_800, 0)), "a leap second");
    assert_eq!("1970-01-01T00:00:00.1234567899Z".parse(), Ok(at(0, 123_456_789)));
}

#[test]
fn every_day_of_the_calendar_comes_back() {
    for day in (-719_528..2_932_897).step_by(13) {
        let time = at(day * 86_400, 0);
        assert_eq!(time.to_string().parse(), Ok(time));
    }
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        "Z",
        "noon",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+25:00",
        "2026-01-01T00:00:00Zz",
        "2026-01-01T00:00:00+1:00",
        "-",
        "+5",
        "1.",
        ".5",
        "1e5",
        "9223372036854775808",
        "-9223372036854775809",
        "-9223372036854775808.5",
        "99999999999999999999",
        "２０２６-01-01T00:00:00Z",
    ] {
        assert!(text.parse::<Timestamp>().is_err(), "{text}");
    }
}
