//! The boxes of `NaCl`: what [`SharedKey`] seals, only one who has that key can have sealed, and read.
//!
//! `XSalsa20` encrypts, and Poly1305 authenticates: [libsodium's `crypto_box` and
//! `crypto_secretbox`](https://doc.libsodium.org/secret-key_cryptography/secretbox). A box is a tag of 16 bytes, and the bytes
//! encrypted. Both primitives are those of `salsa20` and `poly1305`; they are put together here, since frames are opened where they lie, and one that is too
//! long to be kept is authenticated while it is dropped.

use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit as _, UniversalHash as _};
use salsa20::cipher::consts::U10;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use salsa20::{Salsa20, hsalsa};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::KEY_BYTES;

/// Length in bytes of what a box has before its bytes.
pub(crate) const TAG_BYTES: usize = 16;
/// Length in bytes of a box's nonce.
const NONCE_BYTES: usize = 24;
/// Number of those bytes that go into the key of a [`StreamKey`].
const PREFIX_BYTES: usize = 16;
/// Length of a block of Poly1305 in bytes.
const BLOCK_BYTES: usize = 16;

/// The key that two peers have in common, or one of a single peer.
#[derive(Clone)]
pub(crate) struct SharedKey(Zeroizing<[u8; KEY_BYTES]>);

/// A [`SharedKey`] for nonces that begin with the same 16 bytes, as those of all messages in one direction do: a part of the work of each
/// box is done once.
#[derive(Clone)]
pub(crate) struct StreamKey(Zeroizing<[u8; KEY_BYTES]>);

/// The authentication of a box whose bytes come in pieces, of which only the first are kept.
pub(crate) struct OpeningTail {
    poly: Poly1305,
    /// Bytes that are no whole block yet.
    partial: Zeroizing<[u8; BLOCK_BYTES]>,
    partial_bytes: usize,
}

impl SharedKey {
    /// Creates the key of what a key exchange came to.
    pub(super) fn of(exchanged: &[u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(hsalsa::<U10>(exchanged.into(), &[0; PREFIX_BYTES].into()).into()))
    }

    /// Creates a key of 32 random bytes.
    pub(crate) fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// Returns the key for nonces that begin with a prefix.
    pub(crate) fn stream(&self, prefix: &[u8; PREFIX_BYTES]) -> StreamKey {
        StreamKey(Zeroizing::new(hsalsa::<U10>((&*self.0).into(), prefix.into()).into()))
    }

    fn of_nonce(&self, nonce: &[u8; NONCE_BYTES]) -> (StreamKey, [u8; NONCE_BYTES - PREFIX_BYTES]) {
        let (prefix, rest) = split(nonce);
        (self.stream(prefix), *rest)
    }

    /// Returns a box of some bytes.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE_BYTES], bytes: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; TAG_BYTES];
        sealed.extend_from_slice(bytes);
        let (key, rest) = self.of_nonce(nonce);
        let tag = key.seal(rest, &mut sealed[TAG_BYTES..]);
        sealed[..TAG_BYTES].copy_from_slice(&tag);
        sealed
    }

    /// Returns the bytes of a box, or `None` if it was not sealed by this key and nonce.
    pub(crate) fn open(&self, nonce: &[u8; NONCE_BYTES], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (tag, bytes) = sealed.split_first_chunk()?;
        let mut bytes = Zeroizing::new(bytes.to_vec());
        let (key, rest) = self.of_nonce(nonce);
        key.open(rest, tag, &mut bytes).then_some(bytes)
    }
}

fn split(nonce: &[u8; NONCE_BYTES]) -> (&[u8; PREFIX_BYTES], &[u8; NONCE_BYTES - PREFIX_BYTES]) {
    // 24 bytes are 16 and 8.
    let (prefix, rest) = nonce.split_first_chunk().expect("a nonce is longer than its prefix");
    // As above.
    (prefix, rest.first_chunk().expect("the rest of a nonce has 8 bytes"))
}

impl StreamKey {
    /// Encrypts bytes where they lie. Returns the tag of the box.
    pub(crate) fn seal(&self, nonce: [u8; 8], bytes: &mut [u8]) -> [u8; TAG_BYTES] {
        let (mut cipher, poly) = self.begin(nonce);
        cipher.apply_keystream(bytes);
        poly.compute_unpadded(bytes).into()
    }

    /// Decrypts the bytes of a box where they lie. Returns `false`, and leaves them, if they are not those that were sealed by this key
    /// and nonce.
    #[must_use]
    pub(crate) fn open(&self, nonce: [u8; 8], tag: &[u8; TAG_BYTES], bytes: &mut [u8]) -> bool {
        let (mut cipher, poly) = self.begin(nonce);
        let expected: [u8; TAG_BYTES] = poly.compute_unpadded(bytes).into();
        let is_right = bool::from(expected.ct_eq(tag));
        if is_right {
            cipher.apply_keystream(bytes);
        }
        is_right
    }

    /// Begins to authenticate a box whose bytes come in pieces.
    pub(crate) fn begin_tail(&self, nonce: [u8; 8]) -> OpeningTail {
        let (_, poly) = self.begin(nonce);
        OpeningTail { poly, partial: Zeroizing::default(), partial_bytes: 0 }
    }

    /// Decrypts the first bytes of a box, whose tag was found right.
    pub(crate) fn decrypt_head(&self, nonce: [u8; 8], head: &mut [u8]) {
        let (mut cipher, _) = self.begin(nonce);
        cipher.apply_keystream(head);
    }

    /// Returns the cipher, and the authenticator that has its key from the cipher's first 32 bytes.
    fn begin(&self, nonce: [u8; 8]) -> (Salsa20, Poly1305) {
        let mut cipher = Salsa20::new((&*self.0).into(), (&nonce).into());
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        cipher.apply_keystream(&mut *key);
        let poly = Poly1305::new((&*key).into());
        (cipher, poly)
    }
}

impl OpeningTail {
    /// Takes the next bytes of the box.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        if self.partial_bytes > 0 {
            let (own, rest) = bytes.split_at((BLOCK_BYTES - self.partial_bytes).min(bytes.len()));
            self.partial[self.partial_bytes..][..own.len()].copy_from_slice(own);
            (self.partial_bytes, bytes) = (self.partial_bytes + own.len(), rest);
            if self.partial_bytes < BLOCK_BYTES {
                return;
            }
            self.poly.update(&[(*self.partial).into()]);
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
        for block in blocks {
            self.poly.update(&[(*block).into()]);
        }
        self.partial[..rest.len()].copy_from_slice(rest);
        self.partial_bytes = rest.len();
    }

    /// Reports whether the box has this tag, once all of its bytes were taken.
    #[must_use]
    pub(crate) fn finish(self, tag: &[u8; TAG_BYTES]) -> bool {
        let expected: [u8; TAG_BYTES] =
            self.poly.compute_unpadded(&self.partial[..self.partial_bytes]).into();
        expected.ct_eq(tag).into()
    }
}

#[cfg(test)]
mod tests;
