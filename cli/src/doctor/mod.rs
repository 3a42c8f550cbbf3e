//! What `zsvc doctor` finds: [`finding`], and how a server fits this command ([`skew`]).

pub(crate) mod finding;
pub(crate) mod skew;
