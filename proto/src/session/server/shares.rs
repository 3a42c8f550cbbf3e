//! [`Shares`]: how something of which there is only so much is given out among the clients of a server, so that no few of them can
//! take what belongs to all.

/// What the clients of a server have taken of something at one moment, and how much of it there is.
///
/// Up to three quarters, every client may have more. The last quarter is for clients with few.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    /// How much there is.
    pub max: usize,
    /// How much all clients together have.
    pub taken: usize,
    /// Number of clients that have any.
    pub clients: usize,
}

/// Why a client can have no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// All is taken.
    Full,
    /// What is left is kept for clients that have less than this one.
    PastShare,
}

impl Shares {
    /// Reports whether a client that has `own` may have one more.
    ///
    /// # Errors
    /// There is none left, or none for this client.
    #[inline]
    pub fn room_for(self, own: usize) -> Result<(), NoRoom> {
        if self.taken < self.max - self.max / 4 {
            return Ok(());
        }
        self.room_in_kept_part(own)
    }

    /// Reports whether a client that has `own` may have one of those that are kept for clients with few.
    ///
    /// It may while it has less than a quarter of its part of what is free. So what is free shrinks by about a quarter of a part
    /// for each client that comes: a client finds room however many came before it and keep theirs, and clients that come at
    /// a time find about the same.
    #[cold]
    fn room_in_kept_part(self, own: usize) -> Result<(), NoRoom> {
        let free = self.max.saturating_sub(self.taken);
        let clients = self.clients.saturating_add(usize::from(own == 0));
        if free == 0 {
            Err(NoRoom::Full)
        } else if own.saturating_mul(4).saturating_mul(clients) >= free {
            Err(NoRoom::PastShare)
        } else {
            Ok(())
        }
    }
}
