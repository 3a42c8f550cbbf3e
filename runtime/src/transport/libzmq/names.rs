//! [`Names`]: which connection is behind a routing id that its peer has announced.
//!
//! A ROUTER numbers the connections of peers that announce none, and no number comes twice. An id that was announced is free once its
//! connection has gone: the next peer that announces it has the same route, and would go on as the one before, whose answers it would
//! get. libzmq does not tell that a connection has ended. But what it knows of a connection hangs on each frame, and has an address of
//! its own for as long as a frame of the connection is there: so one is kept.

use std::collections::HashMap;

/// The connections of peers with an id of their own.
#[derive(Default)]
pub(super) struct Names {
    /// A frame of each connection, by its id.
    known: HashMap<Box<[u8]>, zmq::Message>,
}

/// Maximum number of ids. Past it, all are forgotten, and with them what would have shown that the next connection of an id is another
/// one: ids cost a peer nothing to make up.
const MAX_NAMES: usize = 16_384;

/// A property that every peer announces in its handshake.
const PROPERTY: &str = "Socket-Type";

impl Names {
    /// Takes the first frame of a message, which is the id. Returns whether the id was that of another connection before.
    pub(super) fn is_another(&mut self, mut frame: zmq::Message) -> bool {
        // The first byte of a number is 0; a peer that announces such an id can't know whose it is.
        if frame.first().is_none_or(|first| *first == 0) {
            return false;
        }
        let Some(at) = place(&mut frame) else { return false };
        if let Some(known) = self.known.get_mut(&*frame) {
            if place(known) == Some(at) {
                return false;
            }
            *known = frame;
            return true;
        }
        if self.known.len() >= MAX_NAMES {
            self.known.clear();
        }
        self.known.insert(Box::from(&*frame), frame);
        false
    }
}

/// Returns where libzmq keeps what it knows of a frame's connection; `None` within the process, where it knows nothing.
fn place(frame: &mut zmq::Message) -> Option<usize> {
    frame.gets(PROPERTY).map(|value| value.as_ptr().addr())
}
