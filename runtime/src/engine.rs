//! [`Engine`]: which implementation of ZeroMQ carries messages.

use std::ffi::OsString;

/// An implementation of ZeroMQ, which carries the messages of servers and channels. All of them talk to each other, and to other
/// programs that use ZeroMQ.
///
/// By default a program uses the engine that the environment variable `ZSVC_ENGINE` names, and otherwise [`Engine::Zmtp`].
/// `ZSVC_SERVER_ENGINE` and `ZSVC_CLIENT_ENGINE` name that of its servers and of its channels alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// This crate's own: ZMTP straight on tokio's sockets, in the tasks of the runtime. What a peer can make it hold is bounded.
    Zmtp,
    /// libzmq, through the `zmq` crate, with threads of its own. It is there on Unix, with the feature `libzmq` of this crate, which
    /// is on by default; elsewhere, servers don't listen and channels don't connect, with an error that says so.
    Libzmq,
}

/// Why the engine `libzmq` can't be used in a build without it.
#[cfg(not(all(feature = "libzmq", unix)))]
pub(crate) const NO_LIBZMQ: &str = if cfg!(unix) {
    "this program is built without the engine `libzmq`; turn the feature `libzmq` of the crate `zsvc` on, or use `zmtp`"
} else {
    "the engine `libzmq` is there on Unix alone; use `zmtp`"
};

/// The environment variables that name an engine: of servers, and of channels. The first that is set counts.
const OF_SERVERS: [&str; 2] = ["ZSVC_SERVER_ENGINE", "ZSVC_ENGINE"];
const OF_CHANNELS: [&str; 2] = ["ZSVC_CLIENT_ENGINE", "ZSVC_ENGINE"];

impl Engine {
    /// Returns the engine's name, as in `ZSVC_ENGINE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zmtp => "zmtp",
            Self::Libzmq => "libzmq",
        }
    }

    /// Returns the engine of a server: the one that was chosen, or that of the program.
    ///
    /// # Errors
    /// The environment names no engine; the text says so.
    pub(crate) fn of_server(chosen: Option<Self>) -> Result<Self, String> {
        chosen.map_or_else(|| Self::of_environment(OF_SERVERS), Ok)
    }

    /// Returns the engine of a channel, as [`Engine::of_server`].
    pub(crate) fn of_channel(chosen: Option<Self>) -> Result<Self, String> {
        chosen.map_or_else(|| Self::of_environment(OF_CHANNELS), Ok)
    }

    fn of_environment(variables: [&str; 2]) -> Result<Self, String> {
        Self::of_variables(variables, |variable| std::env::var_os(variable))
    }

    fn of_variables(variables: [&str; 2], value: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        // As everywhere, a variable that is empty is none.
        let value = |variable| value(variable).filter(|value| !value.is_empty());
        let set = variables.into_iter().find_map(|variable| Some((variable, value(variable)?)));
        set.map_or(Ok(Self::Zmtp), |(variable, name)| Self::named(variable, &name.to_string_lossy()))
    }

    fn named(variable: &str, name: &str) -> Result<Self, String> {
        let found = [Self::Zmtp, Self::Libzmq].into_iter().find(|engine| engine.name() == name);
        found.ok_or_else(|| format!("`{variable}` is `{name}`; it can be `zmtp` or `libzmq`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_have_names_and_other_names_are_refused() {
        for engine in [Engine::Zmtp, Engine::Libzmq] {
            assert_eq!(Engine::named("ZSVC_ENGINE", engine.name()), Ok(engine));
        }
        let error = Engine::named("ZSVC_ENGINE", "libzqm").unwrap_err();
        assert_eq!(error, "`ZSVC_ENGINE` is `libzqm`; it can be `zmtp` or `libzmq`");
    }

    #[test]
    fn the_first_variable_that_is_set_counts_and_an_empty_one_is_not() {
        let of = |server: &'static str, both: &'static str| {
            Engine::of_variables(OF_SERVERS, |variable| match variable {
                "ZSVC_SERVER_ENGINE" => Some(server.into()),
                _ => Some(both.into()),
            })
        };
        assert_eq!([of("zmtp", "nonsense"), of("", "zmtp"), of("", "")], [const { Ok(Engine::Zmtp) }; 3]);
        assert!(of("nonsense", "zmtp").is_err());
    }
}
