//! What the commands share that talk to a server or are one: `call`, `list`, `describe`, `ping`, `mock` and so on.
//!
//! - [`target`]: which server, how it is reached, and by which keys.
//! - [`known`]: the schema, from files or from the server itself; [`reflection`] asks it.
//! - [`caller`]: one call by schema, of any kind; [`items`] are its stream from a file or standard input.
//! - [`failure`]: what is told of what failed, and the exit status that it has.
//! - [`snapshot`]: the numbers of a server, as a table.
//! - [`output`]: standard output, whose reader may go; [`run`]: the runtime, and what Ctrl-C does.
//!
//! Values and names are in `zsvc-dynamic`, calls in `zsvc::dynamic`.

pub(crate) mod caller;
pub(crate) mod failure;
pub(crate) mod items;
pub(crate) mod known;
pub(crate) mod output;
pub(crate) mod reflection;
pub(crate) mod run;
pub(crate) mod snapshot;
pub(crate) mod target;
