//! Random histories of two sessions that hand each other's messages on, on a made-up clock. See `proto/tests/README.md`.
//!
//! - `world` holds the two sides and the way between them, and checks what must hold at any time.
//! - `steps` is what may happen; `caller` and `server` are what the tasks of either side do.
//! - `model` is what the test knows of each call; `stream` has the ends of streams; `witness` reads along
//!   what is sent.
//! - `end` brings a history to its end, after which nothing may be held.

mod caller;
mod end;
mod model;
mod rng;
mod server;
mod steps;
mod stream;
mod witness;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use model::Ended;
use rng::Rng;
use steps::Step;
use world::World;

/// Number of histories of each run, unless `HISTORIES` says otherwise.
const HISTORIES: u64 = 5_000;
/// Number of the last steps that are shown of a history that fails.
const STEPS_SHOWN: usize = 50;

#[test]
fn whatever_happens_each_call_ends_once_and_nothing_is_held() {
    let start = Instant::now();
    let (first, count) = match number("SEED") {
        Some(seed) => (seed, number("HISTORIES").unwrap_or(1)),
        None => (0, number("HISTORIES").unwrap_or(HISTORIES)),
    };
    let mut reached = Reached::default();
    for seed in first..first.saturating_add(count) {
        let mut shown = VecDeque::new();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed, start, &mut shown, &mut reached))) {
            eprintln!("the history of SEED={seed} fails; its last steps:");
            for step in &shown {
                eprintln!("  {step}");
            }
            resume_unwind(panic);
        }
    }
    println!("{reached:?}");
    if count >= HISTORIES {
        reached.check();
    }
}

/// Returns the number in an environment variable, if it is set.
fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("`{name}` is not a number: `{value}`")))
}

/// Runs the history of a seed, and keeps its last steps in `shown`.
fn run(seed: u64, start: Instant, shown: &mut VecDeque<String>, reached: &mut Reached) {
    let mut world = World::new(seed, start);
    show(shown, format!("{:?}", world.kind));
    let choices = world.choices();
    // Closing is for good, so it comes late, if at all.
    let mut rng = Rng::new(!seed);
    let close_at = rng.one_in(6).then(|| world.kind.steps / 2 + rng.index(world.kind.steps).unwrap_or(0));
    for number in 0..world.kind.steps {
        let step = if close_at == Some(number) { Step::Close } else { rng.pick(&choices) };
        let at = world.now.duration_since(world.start);
        show(shown, format!("{number} at {at:?}: {step:?} ({:?}, {} calls)", world.link, world.calls.len()));
        world.take(step);
        world.check();
    }
    reached.calm += u64::from(world.end(|what| show(shown, what.to_owned())));
    reached.add(&world);
}

/// What a run has come to: histories in which nothing happens prove nothing.
#[derive(Debug, Default)]
struct Reached {
    /// Number of calls by how they ended.
    ended: BTreeMap<Ended, u64>,
    /// Number of items read by clients, and by handlers.
    items: [u64; 2],
    /// Number of times that a sender had to wait for credit.
    waits: u64,
    /// Number of one-way calls read.
    notes: u64,
    /// Number of histories that were brought to rest with their connection up.
    calm: u64,
}

impl Reached {
    fn add(&mut self, world: &World) {
        for call in &world.calls {
            *self.ended.entry(call.ended.expect("all calls have ended")).or_default() += 1;
            self.items[0] += call.reader.as_ref().map_or(0, |reader| reader.items);
            self.waits += call.writer.as_ref().map_or(0, |writer| writer.waits);
        }
        for handler in world.conns.iter().flat_map(|conn| &conn.handlers) {
            self.items[1] += handler.reader.as_ref().map_or(0, |reader| reader.items);
            self.waits += handler.writer.as_ref().map_or(0, |writer| writer.waits);
        }
        self.notes += world.notes_read.len() as u64;
    }

    /// Checks that every part of the sessions had its turn, and often.
    fn check(&self) {
        assert!(
            self.ended.len() == 6 && self.ended.values().all(|count| *count > HISTORIES / 20),
            "{self:?}"
        );
        assert!(self.items.iter().all(|count| *count > HISTORIES), "{self:?}");
        assert!(
            self.waits > HISTORIES / 2 && self.notes > HISTORIES && self.calm > HISTORIES / 4,
            "{self:?}"
        );
    }
}

fn show(shown: &mut VecDeque<String>, step: String) {
    if shown.len() == STEPS_SHOWN {
        shown.pop_front();
    }
    shown.push_back(step);
}
