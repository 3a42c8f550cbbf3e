//! [`Handshakes`]: the connections of a server whose handshake is under way. Their number is bounded, for each address and in all.
//!
//! Anything can connect, and say nothing after that. Past a bound, a new connection takes the place of another, or is closed:
//!
//! - Where all places are taken, an address with many gives way to one with fewer: so a crowd at some addresses keeps no other address out,
//!   and cuts no slow client of another off.
//! - Otherwise the handshake that has been under way for longest gives way, once it has had [`PATIENCE`]: a good client has completed its own
//!   by then.
//! - Otherwise the new one is closed: many good clients come at once, as after a restart, and to cut some off for others would get none of them
//!   anywhere. They connect again.
//!
//! None waits in the system's queue, which is one for all addresses, and full soon: the system would drop what comes then.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::time::Instant;

use crate::transport::HandshakeLimits;

/// A peer that has not finished the handshake after this time is cut off: it holds a file descriptor.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time after which a handshake may be cut off for another. One takes three round trips, of which each is below half a second anywhere on
/// Earth; a client that is cut off nevertheless connects again.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Where connections come from, as far as they are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address: a machine has all addresses of such a network. Source: RFC 4291, section 2.5.4.
    V6(u64),
    /// Unix sockets.
    Local,
}

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64;
                // 64 of 128 bits are left.
                Self::V6(u64::try_from(network).unwrap_or_default())
            }
        }
    }
}

/// The handshakes of a server that are under way.
#[derive(Debug)]
pub(super) struct Handshakes {
    limits: HandshakeLimits,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// By their numbers, and so in the order in which they began.
    underway: BTreeMap<u64, Underway>,
    /// The numbers of those of each source that has some.
    sources: BTreeMap<Source, BTreeSet<u64>>,
    /// These sources by how many they have.
    by_number: BTreeSet<(usize, Source)>,
}

#[derive(Debug)]
struct Underway {
    number: u64,
    source: Source,
    began: Instant,
    end: Arc<End>,
}

/// How the table tells the task of a handshake that it is over.
#[derive(Debug, Default)]
struct End {
    /// A [`Cut`], or 0.
    why: AtomicU8,
    task: AtomicWaker,
}

/// Why a handshake is over before it was completed, for a reason of this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cut {
    /// As many as may be are under way from its address.
    OfAddress = 1,
    /// As many as may be are under way in all.
    OfAll = 2,
    /// The server accepts no connections any more.
    Closed = 3,
}

impl Cut {
    /// Returns the reason for people, if something was wrong with the handshake.
    pub(super) fn reason(self, limits: HandshakeLimits) -> Option<String> {
        let HandshakeLimits { per_address, all } = limits;
        match self {
            Self::OfAddress => {
                Some(format!("{per_address} handshakes of its address are under way, by `max_handshakes`"))
            }
            Self::OfAll => Some(format!("{all} handshakes are under way, by `max_handshakes`")),
            Self::Closed => None,
        }
    }
}

impl End {
    fn tell(&self, why: Cut) {
        self.why.store(why as u8, Ordering::Release);
        self.task.wake();
    }
}

/// A handshake that is under way, until this is dropped.
#[derive(Debug)]
pub(super) struct Handshake {
    number: u64,
    all: Arc<Handshakes>,
    end: Arc<End>,
}

impl Handshakes {
    pub(super) fn new(limits: HandshakeLimits) -> Arc<Self> {
        Arc::new(Self { limits, table: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while the lock is held but for lack of memory; the table is whole in any case.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn limits(&self) -> HandshakeLimits {
        self.limits
    }

    /// Begins a handshake, for which another may be cut off. Otherwise returns which bound it would go past.
    pub(super) fn begin(self: &Arc<Self>, source: Source, now: Instant) -> Result<Handshake, Cut> {
        let mut table = self.lock();
        let mut cut = None;
        let own = table.sources.get(&source).map_or(0, BTreeSet::len);
        if own >= self.limits.per_address {
            let oldest = table.oldest_of(&source).filter(|oldest| oldest.has_had_its_time(now));
            cut = Some((oldest.ok_or(Cut::OfAddress)?.number, Cut::OfAddress));
        } else if table.underway.len() >= self.limits.all {
            // A crowd first: a client far away is slow, and is not one of many.
            let oldest = table.oldest_of_a_crowd(own + 1);
            let oldest = oldest.or_else(|| table.oldest().filter(|oldest| oldest.has_had_its_time(now)));
            cut = Some((oldest.ok_or(Cut::OfAll)?.number, Cut::OfAll));
        }
        let cut = cut.and_then(|(number, why)| Some((table.remove(number)?, why)));
        let (number, end) = (table.next, Arc::<End>::default());
        table.next += 1;
        table.insert(number, Underway { number, source, began: now, end: Arc::clone(&end) });
        drop(table);
        cut.inspect(|(end, why)| end.tell(*why));
        Ok(Handshake { number, all: Arc::clone(self), end })
    }

    /// Cuts the oldest handshake off, if it has had its time.
    pub(super) fn cut_oldest(&self, now: Instant) {
        let mut table = self.lock();
        let oldest = table.oldest().filter(|oldest| oldest.has_had_its_time(now)).map(|it| it.number);
        let end = oldest.and_then(|number| table.remove(number));
        drop(table);
        end.inspect(|end| end.tell(Cut::OfAll));
    }

    /// Cuts all of them off.
    pub(super) fn close(&self) {
        let table = std::mem::take(&mut *self.lock());
        table.underway.values().for_each(|underway| underway.end.tell(Cut::Closed));
    }
}

impl Underway {
    fn has_had_its_time(&self, now: Instant) -> bool {
        now >= self.began + PATIENCE
    }
}

impl Table {
    fn oldest(&self) -> Option<&Underway> {
        self.underway.values().next()
    }

    fn oldest_of(&self, source: &Source) -> Option<&Underway> {
        self.underway.get(self.sources.get(source)?.first()?)
    }

    /// Returns the oldest of the source that has most, if these are more than `own`.
    fn oldest_of_a_crowd(&self, own: usize) -> Option<&Underway> {
        let (number, source) = self.by_number.last()?;
        if *number > own { self.oldest_of(source) } else { None }
    }

    fn insert(&mut self, number: u64, underway: Underway) {
        let source = underway.source;
        let own = self.sources.entry(source).or_default();
        self.by_number.remove(&(own.len(), source));
        own.insert(number);
        self.by_number.insert((own.len(), source));
        self.underway.insert(number, underway);
    }

    fn remove(&mut self, number: u64) -> Option<Arc<End>> {
        let Underway { source, end, .. } = self.underway.remove(&number)?;
        if let Some(own) = self.sources.get_mut(&source) {
            self.by_number.remove(&(own.len(), source));
            own.remove(&number);
            if own.is_empty() {
                self.sources.remove(&source);
            } else {
                self.by_number.insert((own.len(), source));
            }
        }
        Some(end)
    }
}

impl Handshake {
    /// Is ready when the handshake is over for a reason of this side; with the bounds.
    pub(super) fn poll_cut(&self, context: &Context<'_>) -> Poll<(Cut, HandshakeLimits)> {
        let cut = || match self.end.why.load(Ordering::Acquire) {
            1 => Poll::Ready(Cut::OfAddress),
            2 => Poll::Ready(Cut::OfAll),
            3 => Poll::Ready(Cut::Closed),
            _ => Poll::Pending,
        };
        if cut().is_pending() {
            self.end.task.register(context.waker());
        }
        cut().map(|cut| (cut, self.all.limits))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let removed = self.all.lock().remove(self.number);
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const LIMITS: HandshakeLimits = HandshakeLimits { per_address: 2, all: 3 };

    fn cut(handshake: &Handshake) -> Option<Cut> {
        match handshake.poll_cut(&Context::from_waker(Waker::noop())) {
            Poll::Ready((cut, _)) => Some(cut),
            Poll::Pending => None,
        }
    }

    fn source(last: u8) -> Source {
        Source::of(Ipv4Addr::new(192, 0, 2, last).into())
    }

    #[test]
    fn addresses_of_one_network_are_one_source() {
        let of = |address: &str| Source::of(address.parse().unwrap());
        for (one, other, are_same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            assert_eq!(of(one) == of(other), are_same, "{one} {other}");
        }
    }

    #[test]
    fn the_oldest_of_an_address_gives_way_once_it_has_had_its_time() {
        let (all, start) = (Handshakes::new(LIMITS), Instant::now());
        let first = all.begin(source(1), start).unwrap();
        let second = all.begin(source(1), start + PATIENCE / 2).unwrap();
        let refused = all.begin(source(1), start + PATIENCE / 2).unwrap_err();
        assert_eq!(refused, Cut::OfAddress, "neither has had its time");
        assert!(all.begin(Source::Local, start).is_ok(), "another source is another");
        let third = all.begin(source(1), start + PATIENCE).unwrap();
        assert_eq!([&first, &second, &third].map(cut), [Some(Cut::OfAddress), None, None]);
        drop(second);
        assert!(all.begin(source(1), start + PATIENCE).is_ok(), "one that is over leaves its place");
    }

    #[test]
    fn the_oldest_of_all_gives_way_once_it_has_had_its_time() {
        let (all, start) = (Handshakes::new(LIMITS), Instant::now());
        let mut underway: Vec<_> = (1..=3).map(|last| all.begin(source(last), start).unwrap()).collect();
        let early = all.begin(source(4), start + PATIENCE / 2).unwrap_err();
        assert_eq!(early, Cut::OfAll, "each address has one");
        underway.push(all.begin(source(4), start + PATIENCE).unwrap());
        let cuts = |underway: &[Handshake]| underway.iter().map(cut).collect::<Vec<_>>();
        assert_eq!(cuts(&underway), [Some(Cut::OfAll), None, None, None]);
        drop(underway.remove(1));
        underway.push(all.begin(source(1), start + PATIENCE / 2).unwrap());
        assert_eq!(
            cuts(&underway),
            [Some(Cut::OfAll), None, None, None],
            "one that is over leaves its place"
        );
        all.close();
        assert_eq!(cuts(&underway)[1..], [Some(Cut::Closed); 3]);
        drop(underway);
        let table = all.lock();
        assert!(table.underway.is_empty() && table.sources.is_empty() && table.by_number.is_empty());
    }

    #[test]
    fn a_crowd_gives_way_to_an_address_with_fewer_at_once_and_not_to_its_own() {
        let (all, start) = (Handshakes::new(LIMITS), Instant::now());
        let crowd = [(); 2].map(|()| all.begin(source(1), start).unwrap());
        let other = all.begin(source(2), start).unwrap();
        assert_eq!(all.begin(source(2), start).unwrap_err(), Cut::OfAll, "it would have as many");
        let third = all.begin(source(3), start).unwrap();
        assert_eq!([&crowd[0], &crowd[1], &other, &third].map(cut), [Some(Cut::OfAll), None, None, None]);
        assert_eq!(all.begin(source(4), start).unwrap_err(), Cut::OfAll, "none has more than one");
    }

    #[test]
    fn a_descriptor_is_had_of_one_that_has_had_its_time() {
        let (all, start) = (Handshakes::new(LIMITS), Instant::now());
        let one = all.begin(source(1), start).unwrap();
        all.cut_oldest(start);
        assert_eq!(cut(&one), None);
        all.cut_oldest(start + PATIENCE);
        assert_eq!(cut(&one), Some(Cut::OfAll));
        all.cut_oldest(start + PATIENCE);
    }
}
