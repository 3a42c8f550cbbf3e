//! The vectors of `NaCl`, which libsodium has as well (`test/default/box.c`, `secretbox.c`, `scalarmult.c`, `core1.c`), and boxes in pieces.

use super::super::{PublicKey, SecretKey};
use super::*;

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let text = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = digits.chunks(2).map(text).collect();
    bytes.try_into().unwrap()
}

const ALICE: &str = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
const ALICES_PUBLIC: &str = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
const BOB: &str = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
const BOBS_PUBLIC: &str = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
const IN_COMMON: &str = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389";
const NONCE: &str = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
const MESSAGE: &str = "
    be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffc
    e5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31
    0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde
    048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864
    5e0705";
const BOX: &str = "
    f3ffc7703f9400e52a7dfb4b3d3305d9
    8e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a
    c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738
    b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da
    99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74
    e355a5";

fn secret(hex: &str) -> SecretKey {
    SecretKey::from_bytes(&bytes(hex))
}

#[test]
fn the_key_exchange_is_that_of_nacl() {
    let (alice, bob) = (secret(ALICE), secret(BOB));
    assert_eq!(alice.public_key(), PublicKey::from_bytes(bytes(ALICES_PUBLIC)));
    assert_eq!(bob.public_key(), PublicKey::from_bytes(bytes(BOBS_PUBLIC)));
    for (own, other) in [(&alice, &bob), (&bob, &alice)] {
        assert_eq!(*own.agree(&other.public_key()).unwrap().0, bytes(IN_COMMON));
    }
}

#[test]
fn boxes_are_those_of_nacl() {
    let (message, sealed) = (bytes::<131>(MESSAGE), bytes::<147>(BOX));
    let key = secret(ALICE).agree(&secret(BOB).public_key()).unwrap();
    assert_eq!(key.seal(&bytes(NONCE), &message), sealed);
    let key = SharedKey::from_bytes(&bytes(IN_COMMON));
    assert_eq!(key.open(&bytes(NONCE), &sealed).as_deref().map(Vec::as_slice), Some(&message[..]));
}

/// Source: `test/default/stream3.c` and `auth` of libsodium's `onetimeauth.c`: the first block of the stream is the authenticator's key.
#[test]
fn the_stream_and_the_authenticator_are_those_of_nacl() {
    let first = bytes::<32>("eea6a7251c1e72916d11c2cb214d3c252539121d8e234e652d651fa4c8cff880");
    let (key, rest) = SharedKey::from_bytes(&bytes(IN_COMMON)).of_nonce(&bytes(NONCE));
    let mut stream = [0; 32];
    Salsa20::new((&*key.0).into(), (&rest).into()).apply_keystream(&mut stream);
    assert_eq!(stream, first);
    let (sealed, tag) = (bytes::<147>(BOX), Poly1305::new((&first).into()));
    assert_eq!(tag.compute_unpadded(&sealed[16..])[..], sealed[..16]);
}

#[test]
fn a_box_with_any_bit_changed_is_not_opened() {
    let (sealed, key) = (bytes::<147>(BOX), SharedKey::from_bytes(&bytes(IN_COMMON)));
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(&bytes(NONCE), &changed).is_none(), "{bit}");
    }
    for cut in 0..sealed.len() {
        assert!(key.open(&bytes(NONCE), &sealed[..cut]).is_none(), "{cut}");
    }
    let mut other = bytes::<24>(NONCE);
    other[23] ^= 1;
    assert!(key.open(&other, &sealed).is_none());
}

#[test]
fn a_box_that_is_not_opened_stays_as_it_is() {
    let (key, rest) = SharedKey::from_bytes(&bytes(IN_COMMON)).of_nonce(&bytes(NONCE));
    let mut lying = *b"neither opened nor changed";
    assert!(!key.open(rest, &[7; TAG_BYTES], &mut lying));
    assert_eq!(&lying, b"neither opened nor changed");
}

#[test]
fn a_box_is_authenticated_in_pieces_of_any_size() {
    let key = StreamKey(Zeroizing::new(bytes(IN_COMMON)));
    for length in [0, 1, 15, 16, 17, 47, 48, 1_000] {
        let whole: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut sealed = whole.clone();
        let tag = key.seal([7; 8], &mut sealed);
        for size in 1..=50 {
            let mut tail = key.begin_tail([7; 8]);
            sealed.chunks(size).for_each(|piece| tail.take(piece));
            assert!(tail.finish(&tag), "{length} bytes in pieces of {size}");
        }
        let mut tail = key.begin_tail([7; 8]);
        tail.take(&sealed);
        tail.take(b"x");
        assert!(!tail.finish(&tag));
        let mut head = sealed[..length.min(70)].to_vec();
        key.decrypt_head([7; 8], &mut head);
        assert_eq!(head, whole[..length.min(70)]);
    }
}
