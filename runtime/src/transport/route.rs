//! Routes: the frames by which a message reaches a client, as bytes. Each frame stands after its length in four bytes.

use super::frame_assembler::{MAX_ROUTE_BYTES, OtherFrames};

/// Adds a frame to a route.
pub(super) fn extend_route(route: &mut Vec<u8>, frame: &[u8]) {
    // A frame whose length does not fit is longer than a route may be.
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    route.extend_from_slice(&length.to_be_bytes());
    route.extend_from_slice(frame);
}

/// Adds the frames of a message that are not its batch's. Returns `false` if the route is too long with them, or they were not kept.
pub(super) fn extend_route_by(route: &mut Vec<u8>, others: OtherFrames<'_>) -> bool {
    let OtherFrames::All(others) = others else { return false };
    for frame in others {
        if route.len() + 4 + frame.len() > MAX_ROUTE_BYTES {
            return false;
        }
        extend_route(route, &frame);
    }
    route.len() <= MAX_ROUTE_BYTES
}

/// Returns the frames of a route as [`extend_route`] lays them out.
pub(super) fn frames_of_route(mut route: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = route.split_first_chunk::<4>()?;
        let (frame, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        route = rest;
        Some(frame)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_split_into_its_frames() {
        let mut route = Vec::new();
        for frame in [&b"ab"[..], b"", b"c"] {
            extend_route(&mut route, frame);
        }
        assert_eq!(route, [&[0, 0, 0, 2], &b"ab"[..], &[0, 0, 0, 0], &[0, 0, 0, 1], b"c"].concat());
        assert_eq!(frames_of_route(&route).collect::<Vec<_>>(), [&b"ab"[..], b"", b"c"]);
        assert_eq!(frames_of_route(&route[..5]).count(), 0, "a broken one is not read past its end");
    }
}
