//! The byte listings of `docs/protocol.md`, by name.

use std::collections::BTreeMap;

/// A fenced block of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// `client`, `server`, `value` or `read`.
    pub(crate) from: String,
    /// Whether the runtime writes exactly these bytes.
    pub(crate) exact: bool,
    pub(crate) name: String,
    /// Frames; the last is the batch, or the value.
    pub(crate) frames: Vec<Vec<u8>>,
}

impl Listing {
    /// Returns the bytes of a listing with a single frame.
    pub(crate) fn bytes(&self) -> &[u8] {
        assert_eq!(self.frames.len(), 1, "`{}` has one frame", self.name);
        &self.frames[0]
    }
}

pub(crate) const DOCUMENT: &str = include_str!("../../../../../docs/protocol.md");

/// Returns all listings, in the order of the document.
pub(crate) fn listings() -> Vec<Listing> {
    let blocks = DOCUMENT.split("\n```bytes ").skip(1);
    let blocks: Vec<&str> = blocks.map(|rest| rest.split("\n```").next().unwrap_or(rest)).collect();
    blocks.into_iter().map(listing).collect()
}

/// Returns the bytes of a listing of one frame by a client or a server.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    batch(name).bytes().to_vec()
}

/// Returns the frames of a listing by a client or a server.
pub(crate) fn frames(name: &str) -> Vec<Vec<u8>> {
    batch(name).frames
}

fn batch(name: &str) -> Listing {
    let batches =
        listings().into_iter().filter(|listing| listing.from == "client" || listing.from == "server");
    let mut found: Vec<_> = batches.filter(|listing| listing.name == name).collect();
    assert_eq!(found.len(), 1, "docs/protocol.md has one listing `{name}`");
    found.remove(0)
}

/// Returns the names of the listings from one side, and whether they are exact.
pub(crate) fn names(from: &str) -> BTreeMap<String, bool> {
    let listings = listings().into_iter().filter(|listing| listing.from == from);
    listings.map(|listing| (listing.name, listing.exact)).collect()
}

fn listing(block: &str) -> Listing {
    let (head, body) = block.split_once('\n').expect("a block has more than one line");
    let words: Vec<&str> = head.split_whitespace().collect();
    let (from, exact, name) = match words[..] {
        [from, "exact", name] => (from, true, name),
        [from, name] => (from, false, name),
        _ => panic!("the first line of a listing is `bytes`, who writes it, and a name, not `{head}`"),
    };
    assert!(matches!(from, "client" | "server" | "value" | "read"), "`{from}` is not a known writer");
    let frames = body.split("\n--\n").map(|frame| hex(name, frame)).collect();
    Listing { from: from.to_owned(), exact, name: name.to_owned(), frames }
}

fn hex(name: &str, body: &str) -> Vec<u8> {
    let digits: String =
        body.lines().flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace()).collect();
    let digit = |digit: u8| {
        let value =
            char::from(digit).to_digit(16).unwrap_or_else(|| panic!("`{name}` has only hexadecimal digits"));
        u8::try_from(value).expect("a hexadecimal digit is below 16")
    };
    assert!(digits.len().is_multiple_of(2), "`{name}` has two digits to a byte");
    digits.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The tests of listings, without white space.
fn sources() -> String {
    let sources = [
        include_str!("listed_clients.rs"),
        include_str!("listed_events.rs"),
        include_str!("listed_servers.rs"),
    ]
    .concat();
    sources.split_whitespace().collect()
}

/// A listing counts where a test hands it to a peer, and one that is exact where bytes are compared with it besides.
#[test]
fn every_listing_is_tested() {
    let sources = sources();
    let has =
        |calls: &[&str], name: &str| calls.iter().any(|call| sources.contains(&format!("{call}(\"{name}\"")));
    for Listing { from, exact, name, .. } in listings() {
        if matches!(&*from, "value" | "read") {
            assert!(crate::listed_values::variant_of(&name).is_some(), "`{name}` has a type");
            continue;
        }
        let taken = ["send(bytes", "send_frames(&slices(&frames", "answered"];
        let compared = ["written", "written_by", "assert_eq!(dealer.next().bytes,records(&bytes"];
        assert!(has(&taken, &name), "no test sends `{name}`");
        assert!(!exact || has(&compared, &name), "no test compares what is written with `{name}`");
    }
}
