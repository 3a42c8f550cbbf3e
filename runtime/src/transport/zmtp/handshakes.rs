//! [`Handshakes`]: the connections of a server whose handshake is under way. Their number is bounded, for each address, for each larger
//! network of IPv6 (see [`Source`]), and in all.
//!
//! Anything can connect, and say nothing after that. Past a bound, a new connection takes the place of another, or is closed:
//!
//! - Where all places are taken, a network with many gives way to one with fewer: so a crowd at some addresses keeps no other address out,
//!   and cuts no slow client of another off.
//! - Otherwise the handshake that has been under way for longest gives way, once it has had [`PATIENCE`]: a good client has completed its own
//!   by then.
//! - Otherwise the new one is closed: many good clients come at once, as after a restart, and to cut some off for others would get none of them
//!   anywhere. They connect again.
//!
//! None waits in the system's queue, which is one for all addresses, and full soon: the system would drop what comes then.
//!
//! A client that has proved its key, and about which the program is asked, leaves its place, and takes one of as many others: how long the
//! program takes is not the client's doing, and those that hang do not cut it off. There, none gives way for the time it has had.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::time::Instant;

use crate::source::Source;
use crate::transport::HandshakeLimits;

/// A peer that has not finished the handshake after this time is cut off: it holds a file descriptor.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time after which a handshake may be cut off for another. One takes three round trips, of which each is below half a second anywhere on
/// Earth; a client that is cut off nevertheless connects again.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How many times as many handshakes as from one address may be under way from one of the larger networks of IPv6.
const ADDRESSES_PER_NETWORK: usize = 2;

/// The handshakes of a server that are under way.
#[derive(Debug)]
pub(super) struct Handshakes {
    limits: HandshakeLimits,
    table: Mutex<Table>,
    /// Those about whose client the program is asked; `None` in that one itself.
    asked: Option<Arc<Handshakes>>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// By their numbers, and so in the order in which they began.
    underway: BTreeMap<u64, Underway>,
    /// The numbers of those of each source that has some, and of each network that is larger.
    sources: BTreeMap<Source, BTreeSet<u64>>,
    /// The networks by how many they have; where there is no larger one, the sources.
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
    /// The program is asked about as many clients as may be.
    OfAsked = 4,
}

impl Cut {
    /// Returns the reason for people, if something was wrong with the handshake.
    pub(super) fn reason(self, limits: HandshakeLimits) -> Option<String> {
        let HandshakeLimits { per_address, all } = limits;
        match self {
            Self::OfAddress => Some(format!(
                "{per_address} handshakes of its address, or its network's share, are under way, by `max_handshakes`"
            )),
            Self::OfAsked => Some(format!(
                "the program is asked about {all} clients, or {per_address} of its address, or its network's share, by `max_handshakes`"
            )),
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
        let asked = Arc::new(Self { limits, table: Mutex::default(), asked: None });
        Arc::new(Self { limits, table: Mutex::default(), asked: Some(asked) })
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
        let cut = match self.gives_way(&table, source, now)? {
            None => None,
            Some((number, why)) => table.remove(number).map(|end| (end, why)),
        };
        let (number, end) = (table.next, Arc::<End>::default());
        table.next += 1;
        table.insert(number, Underway { number, source, began: now, end: Arc::clone(&end) });
        drop(table);
        cut.inspect(|(end, why)| end.tell(*why));
        Ok(Handshake { number, all: Arc::clone(self), end })
    }

    /// Returns the handshake that is to be cut off for a new one, if one is, and why; or which bound the new one would go past.
    fn gives_way(&self, table: &Table, source: Source, now: Instant) -> Result<Option<(u64, Cut)>, Cut> {
        let HandshakeLimits { per_address, all } = self.limits;
        let of_network = per_address.saturating_mul(ADDRESSES_PER_NETWORK);
        let network = source.network();
        let (own, near) = (table.number_of(source), table.number_of(network));
        let crowded = if own >= per_address {
            Some(source)
        } else if network != source && near >= of_network {
            Some(network)
        } else {
            None
        };
        if let Some(crowded) = crowded {
            let oldest = table.oldest_of(&crowded).filter(|oldest| self.has_had_its_time(oldest, now));
            return Ok(Some((oldest.ok_or(Cut::OfAddress)?.number, Cut::OfAddress)));
        }
        if table.underway.len() < all {
            return Ok(None);
        }
        // A crowd first: a client far away is slow, and is not one of many.
        let oldest = table.oldest_of_a_crowd(near + 1);
        let oldest = oldest.or_else(|| table.oldest().filter(|oldest| self.has_had_its_time(oldest, now)));
        Ok(Some((oldest.ok_or(Cut::OfAll)?.number, Cut::OfAll)))
    }

    /// Reports whether a handshake may be cut off for the time that it has had.
    fn has_had_its_time(&self, underway: &Underway, now: Instant) -> bool {
        self.asked.is_some() && now >= underway.began + PATIENCE
    }

    /// Cuts the oldest handshake off, if it has had its time.
    pub(super) fn cut_oldest(&self, now: Instant) {
        let mut table = self.lock();
        let oldest = table.oldest().filter(|oldest| self.has_had_its_time(oldest, now)).map(|it| it.number);
        let end = oldest.and_then(|number| table.remove(number));
        drop(table);
        end.inspect(|end| end.tell(Cut::OfAll));
    }

    /// Cuts all of them off.
    pub(super) fn close(&self) {
        let table = std::mem::take(&mut *self.lock());
        table.underway.values().for_each(|underway| underway.end.tell(Cut::Closed));
        if let Some(asked) = &self.asked {
            asked.close();
        }
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

    fn number_of(&self, source: Source) -> usize {
        self.sources.get(&source).map_or(0, BTreeSet::len)
    }

    fn insert(&mut self, number: u64, underway: Underway) {
        let (source, network) = (underway.source, underway.source.network());
        self.by_number.remove(&(self.number_of(network), network));
        self.sources.entry(source).or_default().insert(number);
        self.sources.entry(network).or_default().insert(number);
        self.by_number.insert((self.number_of(network), network));
        self.underway.insert(number, underway);
    }

    fn remove(&mut self, number: u64) -> Option<Arc<End>> {
        let Underway { source, end, .. } = self.underway.remove(&number)?;
        let network = source.network();
        self.by_number.remove(&(self.number_of(network), network));
        for source in [source, network] {
            if let Some(own) = self.sources.get_mut(&source) {
                own.remove(&number);
                if own.is_empty() {
                    self.sources.remove(&source);
                }
            }
        }
        let left = self.number_of(network);
        if left > 0 {
            self.by_number.insert((left, network));
        }
        Some(end)
    }
}

impl Handshake {
    /// Returns where the connection comes from, unless it was cut off. Looked up, since each handshake would keep it.
    pub(super) fn source(&self) -> Option<Source> {
        self.all.lock().underway.get(&self.number).map(|underway| underway.source)
    }

    /// Reports whether the place is none of those about whose clients the program is asked.
    pub(super) fn may_be_asked(&self) -> bool {
        self.all.asked.is_some()
    }

    pub(super) fn limits(&self) -> HandshakeLimits {
        self.all.limits
    }

    /// Leaves the place for one of those about whose clients the program is asked, if there is one.
    ///
    /// # Errors
    /// There are as many as may be.
    pub(super) fn ask(&mut self, now: Instant) -> Result<(), Cut> {
        let (Some(asked), Some(source)) = (&self.all.asked, self.source()) else { return Ok(()) };
        *self = asked.begin(source, now).map_err(|_| Cut::OfAsked)?;
        Ok(())
    }

    /// Is ready when the handshake is over for a reason of this side; with the bounds.
    pub(super) fn poll_cut(&self, context: &Context<'_>) -> Poll<(Cut, HandshakeLimits)> {
        let cut = || match self.end.why.load(Ordering::Acquire) {
            1 => Poll::Ready(Cut::OfAddress),
            2 => Poll::Ready(Cut::OfAll),
            3 => Poll::Ready(Cut::Closed),
            4 => Poll::Ready(Cut::OfAsked),
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
    use std::net::SocketAddr;
    use std::task::Waker;

    use super::*;

    const LIMITS: HandshakeLimits = HandshakeLimits { per_address: 2, all: 3 };

    fn cut(handshake: &Handshake) -> Option<Cut> {
        match handshake.poll_cut(&Context::from_waker(Waker::noop())) {
            Poll::Ready((cut, _)) => Some(cut),
            Poll::Pending => None,
        }
    }

    fn of(address: &str) -> Source {
        Source::of(Some(SocketAddr::new(address.parse().unwrap(), 1)))
    }

    fn source(last: u8) -> Source {
        of(&format!("192.0.2.{last}"))
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

    #[test]
    fn a_network_of_addresses_has_its_bound_and_is_one_crowd() {
        let (all, start) = (Handshakes::new(HandshakeLimits { per_address: 2, all: 6 }), Instant::now());
        let site = |network: u16, host: u16| of(&format!("2001:db8:1:{network:x}::{host:x}"));
        let crowd: Vec<_> = (0..4).map(|network| all.begin(site(network, 1), start).unwrap()).collect();
        assert_eq!(
            all.begin(site(9, 1), start).unwrap_err(),
            Cut::OfAddress,
            "twice as many as of an address"
        );
        let other = [all.begin(source(1), start).unwrap(), all.begin(source(2), start).unwrap()];
        let new = all.begin(source(3), start).unwrap();
        assert_eq!(crowd.iter().map(cut).collect::<Vec<_>>(), [Some(Cut::OfAll), None, None, None]);
        assert_eq!([&other[0], &other[1], &new].map(cut), [None; 3]);
        // Of an address alone, too.
        drop((crowd, other));
        let _own = [all.begin(site(1, 1), start).unwrap(), all.begin(site(1, 2), start).unwrap()];
        assert_eq!(all.begin(site(1, 3), start).unwrap_err(), Cut::OfAddress);
        assert!(all.begin(site(2, 1), start).is_ok());
    }

    #[test]
    fn a_client_that_is_asked_about_leaves_its_place_and_is_not_cut_off_for_its_time() {
        let (all, start) = (Handshakes::new(LIMITS), Instant::now());
        let mut asked = [(); 2].map(|()| all.begin(source(1), start).unwrap());
        for handshake in &mut asked {
            handshake.ask(start).unwrap();
        }
        let mut hang = [(); 2].map(|()| all.begin(source(1), start).unwrap());
        let late = start + 2 * PATIENCE;
        let new = [(); 2].map(|()| all.begin(source(1), late).unwrap());
        assert_eq!(hang.each_ref().map(cut), [Some(Cut::OfAddress); 2]);
        assert_eq!((asked.each_ref().map(cut), new.each_ref().map(cut)), ([None; 2], [None; 2]));
        let [mut first, _second] = new;
        assert_eq!(first.ask(late), Err(Cut::OfAsked), "as many of its address are asked about as may be");
        let [one, _other] = asked;
        drop(one);
        assert_eq!(first.ask(late), Ok(()));
        let [cut_off, _] = &mut hang;
        assert_eq!((cut_off.ask(late), cut(cut_off)), (Ok(()), Some(Cut::OfAddress)), "it stays cut off");
        all.close();
        assert_eq!(cut(&first), Some(Cut::Closed));
    }
}
