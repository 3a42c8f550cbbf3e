//! [`read`]: takes a message apart into records, before the lock of a forwarder is taken.

use zsvc_proto::wire::{Batch, Malformed, RawReader, RawRecord};

/// Maximum number of records of a batch, as at a server.
pub(super) const MAX_RECORDS: usize = 65_536;
/// Maximum number of records that are handed over at a time: others may have the forwarder in between.
const MAX_PORTION: usize = 128;

/// A part of a message.
#[derive(Debug, Clone, Copy)]
pub enum Portion<'p, 'b> {
    /// Some records, in order.
    Records(&'p [RawRecord<'b>]),
    /// What comes next can't be read, nor anything after it.
    Unreadable(&'p Malformed),
    /// There are more records than a batch may have.
    TooMany,
}

/// Hands over the records of a message, in portions.
pub fn read(message: Result<&Batch, &Malformed>, mut take: impl FnMut(Portion<'_, '_>)) {
    let reader = message.map_err(Clone::clone).and_then(Batch::raw_records);
    if let Err(malformed) = reader.and_then(|mut reader| read_all(&mut reader, &mut take)) {
        take(Portion::Unreadable(&malformed));
    }
}

fn read_all(reader: &mut RawReader<'_>, take: &mut impl FnMut(Portion<'_, '_>)) -> Result<(), Malformed> {
    let mut records = Vec::new();
    for number in 0.. {
        let next = if number < MAX_RECORDS { reader.next() } else { Ok(None) };
        let is_over = !matches!(next, Ok(Some(_)));
        if records.len() == MAX_PORTION || is_over && !records.is_empty() {
            take(Portion::Records(&records));
            records.clear();
        }
        match next? {
            Some(record) => records.push(record),
            None if number < MAX_RECORDS => return Ok(()),
            None => break,
        }
    }
    if reader.next()?.is_some() {
        take(Portion::TooMany);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use zsvc_proto::wire::{VERSION, ping};

    use super::*;

    /// Returns what is handed over of a message of this many pings, and what comes behind them.
    fn portions(pings: u64, behind: &[u8]) -> Vec<String> {
        let mut bytes = vec![VERSION];
        (0..pings).for_each(|id| ping(&mut bytes, id));
        bytes.extend_from_slice(behind);
        let (mut told, mut next) = (Vec::new(), 0);
        read(Ok(&Batch::from(Bytes::from(bytes))), |portion| {
            told.push(match portion {
                Portion::Records(records) => {
                    for record in records {
                        assert_eq!(record.id(), next);
                        next += 1;
                    }
                    records.len().to_string()
                }
                Portion::Unreadable(_) => "unreadable".to_owned(),
                Portion::TooMany => "too many".to_owned(),
            });
        });
        told
    }

    #[test]
    fn records_come_in_order_and_in_portions() {
        assert_eq!(portions(1, &[]), ["1"]);
        assert_eq!(portions(128, &[]), ["128"]);
        assert_eq!(portions(300, &[]), ["128", "128", "44"]);
        assert_eq!(portions(130, &[0xc0]), ["128", "2", "unreadable"]);
        assert_eq!(portions(0, &[0xc0]), ["unreadable"]);
    }

    #[test]
    fn a_batch_of_too_many_records_is_told_behind_those_that_it_may_have() {
        let most = MAX_RECORDS as u64;
        assert_eq!(portions(most, &[]).len(), 512);
        let told = portions(most + 1, &[]);
        assert_eq!((told.len(), told[512].as_str()), (513, "too many"));
    }
}
