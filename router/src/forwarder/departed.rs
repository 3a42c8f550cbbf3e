//! [`Departed`]: workers that were here and are gone, by their names. A worker that registers is another one each time that it does, so without
//! this one that comes back would be taken for one that was never away.

use std::collections::VecDeque;

use zsvc_proto::stable_hash::StableHash;

/// Hashes of the names of workers that are gone, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Departed {
    names: VecDeque<u64>,
}

/// Maximum number of names. Past it the oldest is forgotten: its worker starts as one that is new.
const MAX_NAMES: usize = 4_096;

impl Departed {
    /// Notes that a worker of a realm is gone.
    pub(super) fn add(&mut self, realm: usize, name: &str) {
        if self.names.len() >= MAX_NAMES {
            self.names.pop_front();
        }
        self.names.push_back(hash(realm, name));
    }

    /// Reports whether a worker of this name is gone, which is back with this.
    pub(super) fn take(&mut self, realm: usize, name: &str) -> bool {
        let hash = hash(realm, name);
        let at = self.names.iter().position(|known| *known == hash);
        at.is_some_and(|at| self.names.remove(at).is_some())
    }
}

fn hash(realm: usize, name: &str) -> u64 {
    StableHash::of(realm as u64, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_gone_is_back_once() {
        let mut departed = Departed::default();
        departed.add(0, "a");
        departed.add(0, "a");
        assert!(!departed.take(1, "a") && !departed.take(0, "b"));
        assert!(departed.take(0, "a") && departed.take(0, "a") && !departed.take(0, "a"));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut departed = Departed::default();
        (0..=MAX_NAMES).for_each(|number| departed.add(0, &number.to_string()));
        assert!(!departed.take(0, "0") && departed.take(0, "1"));
    }
}
