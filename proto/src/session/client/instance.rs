//! [`Instance`]: which life of a server answers, where the connection outlives it.

/// The life of the server that was last heard of.
#[derive(Debug, Default)]
pub(super) struct Instance {
    /// Its number, once a pong has told it.
    known: Option<u64>,
    /// Whether a ping was sent since another life was last found. A server could not otherwise be kept from having the client ask
    /// again and again.
    is_asked: bool,
}

impl Instance {
    /// Says that a ping is sent.
    pub(super) fn asked(&mut self) {
        self.is_asked = true;
    }

    /// Takes the number of a pong, if it has one. Returns whether another life of the server may have begun since the calls in flight
    /// were sent; so it does for the first number, before which nothing is known.
    pub(super) fn is_another(&mut self, number: Option<u64>) -> bool {
        let is_another = self.is_asked && number.is_some() && number != self.known;
        if is_another {
            (self.known, self.is_asked) = (number, false);
        }
        is_another
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_life_is_found_once_for_each_ping() {
        let mut instance = Instance::default();
        assert!(!instance.is_another(Some(1)), "no ping was sent");
        instance.asked();
        assert!(!instance.is_another(None), "an older server");
        assert!(instance.is_another(Some(1)) && !instance.is_another(Some(2)));
        instance.asked();
        assert!(!instance.is_another(Some(1)) && instance.is_another(Some(2)));
    }
}
