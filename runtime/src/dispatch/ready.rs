//! [`Ready`]: a call that waits for its turn; [`Target`]: what will handle it, and where.

use std::sync::Arc;

use super::incoming::{Incoming, Service};
use super::promptness::{Beginning, Promptness};
use super::running::{OneWay, Peer};
use crate::session::server::CallKey;

/// Maximum size in bytes of parameters that are read by the task that has received them. Reading longer ones takes about as long as
/// a handler may.
const MAX_PARAMS_IN_PLACE: usize = 256 * 1024;

/// The service and method that handle a call.
pub(super) struct Target {
    /// Index of the service.
    pub(super) service: usize,
    /// Index of the method among those of the service.
    pub(super) method: usize,
    pub(super) promptness: Arc<Promptness>,
    /// Whether its calls wait for no turn.
    pub(super) is_of_server: bool,
    /// Whether its handlers begin where calls are received, whatever is known of them.
    pub(super) is_in_order: bool,
}

/// The kind of call that a handler is started for.
pub(super) enum Origin {
    /// A call that waits for an answer.
    Call(CallKey),
    /// A one-way call. Counted as in flight only once the call waits in the queue, or its handler waits for something: most
    /// handlers complete at once, and no message can be received meanwhile.
    OneWay(Option<OneWay>),
}

/// A call that waits in the queue.
pub(super) struct Ready {
    pub(super) origin: Origin,
    /// Index of its target.
    pub(super) target: usize,
    pub(super) call: Incoming,
}

impl Ready {
    /// Reports whether the call has ended while it waited, or its client is not let in any more.
    pub(super) fn is_over(&self) -> bool {
        let peer = self.call.peer();
        self.origin.key().map_or_else(|| peer.is_barred(), |key| !peer.is_in_flight(key))
    }
}

impl Target {
    pub(super) fn new(index: usize, method: usize, service: &dyn Service) -> Self {
        Self {
            service: index,
            method,
            promptness: Arc::new(Promptness::new()),
            is_of_server: service.is_of_server(),
            is_in_order: service.begins_in_order(),
        }
    }

    /// Returns where the handler of a call begins.
    #[inline]
    pub(super) fn beginning(&self, call: &Incoming) -> Beginning {
        if self.is_in_order {
            return Beginning::Trusted;
        }
        if call.method().is_blocking() || is_long(call) {
            return Beginning::Apart;
        }
        self.promptness.beginning()
    }
}

/// Reports whether the parameters of a call are too long to be read in place.
#[inline]
pub(super) fn is_long(call: &Incoming) -> bool {
    call.params_len() > MAX_PARAMS_IN_PLACE
}

impl Origin {
    /// Counts a one-way call as in flight.
    pub(super) fn hold(&mut self, peer: &Arc<Peer>) {
        if let Self::OneWay(held) = self {
            held.get_or_insert_with(|| peer.hold_one_way());
        }
    }

    #[inline]
    pub(super) fn key(&self) -> Option<CallKey> {
        match self {
            Self::Call(key) => Some(*key),
            Self::OneWay(_) => None,
        }
    }
}
