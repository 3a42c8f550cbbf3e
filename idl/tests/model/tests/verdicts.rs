//! Compares the verdicts of `compat` with values that are really sent from one schema to the other.
//!
//! Random schemas are changed at random, most of them once. Each direction is checked separately, old and new servers and old
//! and new clients: where no change is reported as `wire` for it, every random value must be read there, and mean the same.
//! Where one is, a value must be found that the side reported to fail, old or new, rejects or misreads. Most pairs have
//! only one change, so that each rule is checked alone. [`CAREFUL`] lists those that are meant to be stricter.
//!
//! `ZSVC_SEED=7 ZSVC_PAIRS=10000 cargo test -p zsvc-model` tries others, and more. A failure names the seed of its pair;
//! `ZSVC_SEED=… ZSVC_PAIRS=1` tries that pair alone again.

use std::collections::{BTreeMap, BTreeSet};

use zsvc_idl::compat::{Change, Effects, Kind, compare};
use zsvc_idl::diagnostic::Code;
use zsvc_idl::schema::{Schema, Type, TypeId};
use zsvc_idl::{MemoryLoader, compile};
use zsvc_model::codec::{self, parsed};
use zsvc_model::crossing::{Bounds, Way, cross, types};
use zsvc_model::draft::Draft;
use zsvc_model::mutate::mutate;
use zsvc_model::random::Random;

/// Number of pairs that are tried, unless `ZSVC_PAIRS` is set.
const PAIRS: u64 = 2_400;

/// Number of times that values of all types of a pair are sent where nothing may fail.
const ROUNDS: usize = 12;

/// Maximum number of wrong verdicts that are reported.
const WRONGS: usize = 20;

/// Number of attempts to find a value that fails.
const SEARCH: usize = 3_000;

/// The readers at least one of which must fail.
type Needed = &'static [Reader];

/// The side that reads what the other has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    Old,
    New,
}

/// A verdict that is intentionally stricter than what values sent between two schemas show.
struct Careful {
    code: &'static str,
    /// The failure that must be observed nevertheless.
    needed: &'static [Needed],
}

/// All verdicts for which a value need not fail in each direction that they name. A value that fails there must still be
/// reported.
const CAREFUL: &[Careful] = &[
    // Programs of the number's first meaning misread it, which a separate test shows; neither of these two does.
    Careful { code: "D0317", needed: &[] },
    // A member with another name and another form is another member, even if its bytes can be read.
    Careful { code: "D0307", needed: &[&[Reader::Old, Reader::New]] },
    // Another error is another error, even if one of two clients can read the bytes of both.
    Careful { code: "D0414", needed: &[&[Reader::Old, Reader::New]] },
    // New clients call a name that old servers don't know, as with a method that is merely new.
    Careful { code: "D0103", needed: &[&[Reader::New]] },
    Careful { code: "D0403", needed: &[&[Reader::New]] },
    Careful { code: "D0406", needed: &[&[Reader::New]] },
];

/// A pair of schemas, each with its text.
struct Pair {
    old: (Schema, String),
    new: (Schema, String),
}

fn schema(text: &str) -> Option<Schema> {
    compile(&MemoryLoader::default().with("model.svc", text), &["model.svc".to_owned()], &[]).schema
}

/// Returns a schema, and the same after one or several changes.
fn pair(random: &mut Random) -> Pair {
    loop {
        let draft = Draft::random(random);
        let text = draft.text();
        let Some(old) = schema(&text) else { continue };
        for _ in 0..20 {
            let mut changed = draft.clone();
            let count = if random.one_in(3) { 2 + random.below(3) } else { 1 };
            (0..count).for_each(|_| mutate(&mut changed, random));
            let changed = changed.text();
            if let Some(new) = schema(&changed).filter(|_| changed != text) {
                return Pair { old: (old, text), new: (new, changed) };
            }
        }
    }
}

fn wire_codes(changes: &[Change]) -> Vec<Code> {
    changes.iter().filter(|change| change.kind() == Kind::Wire).map(|change| change.code).collect()
}

/// Returns the directions in which a change says that values are rejected or misread.
fn ways(effects: Effects) -> impl Iterator<Item = Way> {
    let Effects { old_reads_new, new_reads_old, flow, .. } = effects;
    let all = [
        (Way::NewServer, new_reads_old && flow.requests),
        (Way::OldServer, old_reads_new && flow.requests),
        (Way::OldClient, old_reads_new && flow.answers),
        (Way::NewClient, new_reads_old && flow.answers),
        (Way::OldType, old_reads_new),
        (Way::NewType, new_reads_old),
    ];
    all.into_iter().filter(|(_, fails)| *fails).map(|(way, _)| way)
}

/// Returns the readers that must fail for a change.
fn needed(change: &Change) -> Vec<Needed> {
    match CAREFUL.iter().find(|careful| careful.code == change.code.id()) {
        Some(careful) if change.kind() == Kind::Wire => careful.needed.to_vec(),
        _ => {
            let Effects { old_reads_new, new_reads_old, .. } = change.effects;
            let old = old_reads_new.then_some(&[Reader::Old][..]);
            let new = new_reads_old.then_some(&[Reader::New][..]);
            old.into_iter().chain(new).collect()
        }
    }
}

/// Returns the reading sides, in whichever direction values are sent.
fn reader(way: Way) -> Reader {
    match way {
        Way::OldServer | Way::OldClient | Way::OldType => Reader::Old,
        Way::NewServer | Way::NewClient | Way::NewType => Reader::New,
    }
}

/// Compares the verdicts of one pair with the values that are sent.
fn check(pair: &Pair, random: &mut Random) -> Result<Vec<Change>, String> {
    let (old, new) = (&pair.old.0, &pair.new.0);
    let changes = compare(old, new);
    let told: BTreeSet<Way> = changes.iter().flat_map(|change| ways(change.effects)).collect();
    for _ in 0..ROUNDS {
        let failures = cross(old, new, Bounds::OfServers, random);
        if let Some((way, error)) = failures.into_iter().find(|(way, _)| !told.contains(way)) {
            return Err(format!("no change is told as wire for {way:?}, and yet: {error}"));
        }
    }
    let mut unseen: BTreeSet<Needed> = changes.iter().flat_map(needed).collect();
    for round in 0..SEARCH {
        if unseen.is_empty() {
            return Ok(changes.into_iter().filter(|change| change.kind() == Kind::Wire).collect());
        }
        // Values out of bounds may be written too, but then a failure must not be due to the bounds.
        let bounds = if round % 2 == 0 { Bounds::OfAll } else { Bounds::Nowhere };
        for way in cross(old, new, bounds, random).into_keys() {
            unseen.retain(|readers| !readers.contains(&reader(way)));
        }
    }
    Err(format!("told as wire, and yet nothing fails where these read: {unseen:?}"))
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, and not `{text}`")))
}

/// Describes a pair for which a verdict is wrong.
fn wrong(seed: u64, pair: &Pair, error: &str) -> String {
    let changes: Vec<String> = compare(&pair.old.0, &pair.new.0)
        .iter()
        .map(|change| {
            let Change { code, message, effects, .. } = change;
            format!("{}[{code}]: {message}: {}", change.kind().name(), effects.who().unwrap_or_default())
        })
        .collect();
    format!("ZSVC_SEED={seed}: {error}\n\n{}\n{}\n{}", pair.old.1, pair.new.1, changes.join("\n"))
}

#[test]
fn verdicts_agree_with_what_crosses() {
    let first = from_environment("ZSVC_SEED").unwrap_or(1);
    let count = from_environment("ZSVC_PAIRS").unwrap_or(PAIRS);
    let mut wrongs = Vec::new();
    let (mut safe, mut alone) = (0, BTreeMap::<Code, usize>::new());
    for seed in first..first + count {
        let mut random = Random::new(seed);
        let pair = pair(&mut random);
        match check(&pair, &mut random).as_deref() {
            Ok([]) => safe += 1,
            Ok([one]) => *alone.entry(one.code).or_default() += 1,
            Ok(_) => {}
            Err(error) => wrongs.push(wrong(seed, &pair, error)),
        }
        assert!(wrongs.len() < WRONGS, "{}", wrongs.join("\n\n"));
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n\n"));
    println!(
        "{count} pairs from seed {first}: {safe} without a wire verdict; a single one, by code: {alone:?}"
    );
    if count >= PAIRS {
        assert!(safe > 500, "too few pairs go together to prove much: {safe}");
        assert!(alone.len() > 12, "too few rules are tried by themselves: {alone:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_pair() {
    let texts = |seed| {
        let pair = pair(&mut Random::new(seed));
        (pair.old.1, pair.new.1)
    };
    assert_eq!(texts(5), texts(5));
    assert_ne!(texts(5), texts(6));
}

/// Tests the number of a field that was removed and reserved long ago, and is used for something else now.
#[test]
fn a_reserved_number_that_is_used_again_is_misread_by_programs_of_its_first_meaning() {
    let texts = [
        "package model.v1;\nstruct Order { size: u32 = 1; note: u32? = 2; }\n",
        "package model.v1;\nstruct Order { size: u32 = 1; reserved 2, \"note\"; }\n",
        "package model.v1;\nstruct Order { size: u32 = 1; price: u32? = 2; }\n",
    ];
    let [first, old, new] = texts.map(|text| schema(text).unwrap_or_else(|| panic!("{text}")));
    assert_eq!(wire_codes(&compare(&old, &new)).len(), 1);
    assert_eq!(wire_codes(&compare(&first, &old)), []);
    let mut random = Random::new(1);
    // These two are compatible …
    for _ in 0..ROUNDS {
        assert_eq!(types(&old, &new, Bounds::OfAll, &mut random), Ok(()));
        assert_eq!(types(&new, &old, Bounds::OfAll, &mut random), Ok(()));
    }
    // … but the last schema reads a note of the first as a price.
    let order = Type::Named(TypeId(0));
    let note = parsed(&[0x92, 1, 7]).expect("MessagePack");
    let read = |schema| codec::Reader { schema, is_server: true }.read(&order, &note);
    assert_eq!(read(&first), read(&new));
    assert!(read(&first).is_ok_and(|value| format!("{value:?}").contains("(2, Integer(7))")));
}
