//! [`Source`]: where connections come from, as far as they are counted together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address of a peer, or the network that has all addresses of its kind, as far as what comes from there is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address: a machine has all addresses of such a network. Source: RFC 4291, section 2.5.4.
    V6(u64),
    /// The first 48 bits, as the first of 64: a site has all networks of such a prefix. Source: RFC 6177.
    Site(u64),
    /// The whole address of a client of IPv4 behind a translator of this site. Source: RFC 8215.
    Translated([u8; 16]),
    /// A machine on a link, by the number of the link at this machine, and the last 64 bits of its address.
    OnLink(u32, u64),
    /// All machines on a link, which can choose these bits.
    Link(u32),
    /// This machine or process, without an address.
    Local,
}

/// The first 96 bits of the addresses that translators anywhere give to clients of IPv4. Source: RFC 6052, section 2.1.
const TRANSLATED: u128 = 0x0064_ff9b_0000_0000_0000_0000;
/// The first 48 bits of those that translators of one site give. Source: RFC 8215.
const TRANSLATED_HERE: u64 = 0x0064_ff9b_0001_0000;
/// The first 48 of 64 bits.
const SITE_BITS: u64 = 0xffff_ffff_ffff_0000;

impl Source {
    /// Returns the source of a connection from an address; without one, that of this machine.
    pub(crate) fn of(address: Option<SocketAddr>) -> Self {
        match address.map(|address| (address.ip().to_canonical(), address)) {
            None => Self::Local,
            Some((IpAddr::V4(ip), _)) => Self::V4(ip),
            // A mapped address has no scope that counts.
            Some((IpAddr::V6(ip), SocketAddr::V6(address))) => Self::of_v6(ip, address.scope_id()),
            Some((IpAddr::V6(ip), SocketAddr::V4(_))) => Self::of_v6(ip, 0),
        }
    }

    fn of_v6(ip: Ipv6Addr, scope: u32) -> Self {
        let bits = ip.to_bits();
        let (network, host) = halves(bits);
        if bits >> 32 == TRANSLATED {
            // The rest are the 32 bits of the address.
            return Self::V4(Ipv4Addr::from_bits(u32::try_from(bits & 0xffff_ffff).unwrap_or_default()));
        }
        if network & SITE_BITS == TRANSLATED_HERE {
            return Self::Translated(ip.octets());
        }
        if ip.is_unicast_link_local() {
            return Self::OnLink(scope, host);
        }
        Self::V6(network)
    }

    /// Returns a number that tells sources of one network apart.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::V6(network) | Self::OnLink(_, network) => network,
            Self::V4(_) | Self::Site(_) | Self::Translated(_) | Self::Link(_) | Self::Local => 0,
        }
    }

    /// Returns the larger network that it is a part of, of which one peer may have all; itself if there is none.
    pub(crate) fn network(self) -> Self {
        match self {
            Self::V6(network) => Self::Site(network & SITE_BITS),
            Self::OnLink(scope, _) => Self::Link(scope),
            Self::V4(_) | Self::Site(_) | Self::Translated(_) | Self::Link(_) | Self::Local => self,
        }
    }
}

/// Returns the first and the last 64 bits of an address.
fn halves(bits: u128) -> (u64, u64) {
    let bytes = bits.to_be_bytes();
    let half = |at: usize| bytes[at..at + 8].iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    (half(0), half(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Source {
        Source::of(Some(address.parse().expect("it is an address with a port")))
    }

    #[test]
    fn what_one_peer_has_all_addresses_of_is_one_source_and_networks_are_found() {
        // Whether both are one source, and whether they are of one network.
        for (one, other, is_same, is_near) in [
            ("192.0.2.1:1", "192.0.2.1:2", true, true),
            ("192.0.2.1:1", "192.0.2.2:1", false, false),
            ("192.0.2.1:1", "[::ffff:192.0.2.1]:1", true, true),
            ("192.0.2.1:1", "[64:ff9b::192.0.2.1]:1", true, true),
            ("192.0.2.1:1", "[64:ff9b::192.0.2.2]:1", false, false),
            ("[64:ff9b:1::192.0.2.1]:1", "[64:ff9b:1::192.0.2.2]:1", false, false),
            ("[64:ff9b:1::192.0.2.1]:1", "[64:ff9b:1::192.0.2.1]:2", true, true),
            ("[2001:db8:0:1::1]:1", "[2001:db8:0:1:ffff::2]:1", true, true),
            ("[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false, true),
            ("[2001:db8:0:1::1]:1", "[2001:db8:1:1::1]:1", false, false),
            ("[2001:db8:0:1::1%3]:1", "[2001:db8:0:1::2%4]:1", true, true),
            ("[fe80::1%3]:1", "[fe80::1%3]:2", true, true),
            ("[fe80::1%3]:1", "[fe80::2%3]:1", false, true),
            ("[fe80::1%3]:1", "[fe80::1%4]:1", false, false),
            ("[::1]:1", "[::1]:2", true, true),
        ] {
            let (one_of, other_of) = (of(one), of(other));
            assert_eq!(one_of == other_of, is_same, "{one} {other}");
            assert_eq!(one_of.network() == other_of.network(), is_near, "{one} {other}");
            assert_eq!(one_of.network().network(), one_of.network(), "{one}");
        }
        assert_eq!((Source::of(None), Source::Local.network()), (Source::Local, Source::Local));
    }
}
