//! Changes to sets of flags, to lists and sets, and to negative values of enums, as [`super::values`] sends them.

use std::collections::BTreeSet;

use zsvc_calls::new::rows::v1 as new;
use zsvc_calls::old::rows::v1 as old;

use super::values::{new_reads, old_reads};
use crate::support::on_one_thread;

#[test]
pub(super) fn add_or_remove_a_flag() {
    on_one_thread(async {
        let newer = new::Access::READ | new::Access::WRITE;
        let older = old::Access::READ | old::Access::from_bits(2);
        assert_eq!((older.unknown().bits(), older.to_string()), (2, "Read | 0x2".to_owned()));
        old_reads(new::Row::ChangeFlags { access: newer }).await.is(old::Row::ChangeFlags { access: older });
        new_reads(old::Row::ChangeFlags { access: older }).await.is(new::Row::ChangeFlags { access: newer });
        let (gone, kept) = (old::Access::GONE, new::Access::from_bits(8));
        assert_eq!(format!("{kept:?}"), "Access(0x8)");
        new_reads(old::Row::ChangeFlags { access: gone }).await.is(new::Row::ChangeFlags { access: kept });
        old_reads(new::Row::ChangeFlags { access: kept }).await.is(old::Row::ChangeFlags { access: gone });
    });
}

#[test]
pub(super) fn put_flags_in_the_place_of_a_number_or_a_number_in_that_of_flags() {
    on_one_thread(async {
        for bits in [0, 1, 1 << 63, u64::MAX] {
            let (older, newer) = (old::Access::from_bits(bits), new::Access::from_bits(bits));
            let became = (old::Row::BecomeFlags { access: bits }, new::Row::BecomeFlags { access: newer });
            old_reads(became.1.clone()).await.is(became.0.clone());
            new_reads(became.0).await.is(became.1);
            let was = (old::Row::BecomeNumber { access: older }, new::Row::BecomeNumber { access: bits });
            old_reads(was.1.clone()).await.is(was.0.clone());
            new_reads(was.0).await.is(was.1);
        }
    });
}

#[test]
pub(super) fn turn_a_list_into_a_set() {
    on_one_thread(async {
        let set = new::Row::BecomeSet { numbers: BTreeSet::from([1, 300]) };
        old_reads(set.clone()).await.is(old::Row::BecomeSet { numbers: vec![1, 300] });
        new_reads(old::Row::BecomeSet { numbers: vec![300, 1] }).await.is(set);
        let twice = new_reads(old::Row::BecomeSet { numbers: vec![1, 2, 1] }).await;
        twice.both_are_refused("numbers[2]: this element is in the set already");
    });
}

#[test]
pub(super) fn turn_a_set_into_a_list() {
    on_one_thread(async {
        let set = old::Row::BecomeList { numbers: BTreeSet::from([1, 300]) };
        new_reads(set.clone()).await.is(new::Row::BecomeList { numbers: vec![1, 300] });
        old_reads(new::Row::BecomeList { numbers: vec![300, 1] }).await.is(set);
        let twice = old_reads(new::Row::BecomeList { numbers: vec![1, 2, 1] }).await;
        twice.both_are_refused("numbers[2]: this element is in the set already");
    });
}

#[test]
pub(super) fn add_a_negative_value() {
    on_one_thread(async {
        let unknown = old::Row::RemoveValue { side: old::Side::Unknown(-1) };
        let lost = new::Row::RemoveValue { side: new::Side::Lost };
        old_reads(lost.clone()).await.is(unknown.clone());
        new_reads(unknown).await.is(lost);
    });
}
