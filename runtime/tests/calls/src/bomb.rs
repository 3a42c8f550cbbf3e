//! [`Bomb`]: a value that panics as it is dropped.

/// What handlers panic with here: its own end is a panic, too, which must not end anything else.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as the test asks for, once more");
    }
}
