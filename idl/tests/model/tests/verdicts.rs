//! The verdicts of `compat`, held against values that really cross from one schema to the other.
//!
//! Random schemas are changed at random, most of them once. Each way is looked at by itself, old and new servers and old and
//! new clients: where no change is told as `wire` for it, every random value must be read there, and mean the same. Where one
//! is, a value must be found that is refused or misread by the side that is told to fail, old or new. Most changes are alone,
//! so that this holds of each rule, and not of several together. [`CAREFUL`] lists those that are meant to be stricter.
//!
//! `ZSVC_SEED=7 ZSVC_PAIRS=10000 cargo test -p zsvc-model` tries others, and more. A failure says the seed of its pair, which
//! alone is tried again by `ZSVC_SEED=… ZSVC_PAIRS=1`.

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

/// How many pairs are tried, unless `ZSVC_PAIRS` says otherwise.
const PAIRS: u64 = 2_500;

/// How often values of all that a pair has must cross where nothing is to fail.
const ROUNDS: usize = 12;

/// How many wrong verdicts are told before it is left at that.
const WRONGS: usize = 20;

/// How often a value that fails is looked for.
const SEARCH: usize = 3_000;

/// Who must be seen to fail: the side that reads, or either of some.
type Needed = &'static [Reader];

/// Who reads what the other has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    Old,
    New,
}

/// A verdict that is meant to be more careful than what crosses between two schemas shows.
struct Careful {
    code: &'static str,
    /// What is to be seen all the same.
    needed: &'static [Needed],
}

/// All verdicts for which a value need not fail wherever they say so. What fails there must be told all the same.
const CAREFUL: &[Careful] = &[
    // Programs of the number's first meaning misread it, which a test of its own shows, and neither of these two.
    Careful { code: "D0317", needed: &[] },
    // What has both another name and another form is another member, whichever way its bytes can be read.
    Careful { code: "D0307", needed: &[&[Reader::Old, Reader::New]] },
    // New clients call by a name that old servers don't know, as they do with what is merely new.
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

/// A schema, and the same after one change or some.
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

/// The ways in which a change says that values are refused or misread.
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

/// Who must be seen to fail for a change.
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

/// Who reads, whichever way values travel.
fn reader(way: Way) -> Reader {
    match way {
        Way::OldServer | Way::OldClient | Way::OldType => Reader::Old,
        Way::NewServer | Way::NewClient | Way::NewType => Reader::New,
    }
}

/// Holds the verdicts of one pair against what crosses.
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
        // What is beyond bounds may be written all the same, but then what fails must not be for the bounds.
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

/// What a person has to know of a pair for which a verdict is wrong.
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

/// The number of a field that was removed and reserved long ago, and is used for something else now.
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
    // Between these two all is well …
    for _ in 0..ROUNDS {
        assert_eq!(types(&old, &new, Bounds::OfAll, &mut random), Ok(()));
        assert_eq!(types(&new, &old, Bounds::OfAll, &mut random), Ok(()));
    }
    // … and a note of the first age is a price to the last.
    let order = Type::Named(TypeId(0));
    let note = parsed(&[0x92, 1, 7]).expect("MessagePack");
    let read = |schema| codec::Reader { schema, is_server: true }.read(&order, &note);
    assert_eq!(read(&first), read(&new));
    assert!(read(&first).is_ok_and(|value| format!("{value:?}").contains("(2, Integer(7))")));
}
