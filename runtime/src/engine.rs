//! [`Engine`]: which implementation of ZeroMQ carries messages.

/// An implementation of ZeroMQ, which carries the messages of servers and channels. All of them talk to each other, and to other
/// programs that use ZeroMQ.
///
/// By default a program uses the engine that the environment variable `ZSVC_ENGINE` names, and otherwise [`Engine::Zmtp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// This crate's own: ZMTP straight on tokio's sockets, in the tasks of the runtime. What a peer can make it hold is bounded.
    Zmtp,
    /// libzmq, through the `zmq` crate, with threads of its own.
    Libzmq,
}

/// The environment variable that names the engine of a program.
const VARIABLE: &str = "ZSVC_ENGINE";

impl Engine {
    /// Returns the engine's name, as in `ZSVC_ENGINE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zmtp => "zmtp",
            Self::Libzmq => "libzmq",
        }
    }

    /// Returns the engine that was chosen, or that of the program.
    ///
    /// # Errors
    /// `ZSVC_ENGINE` names no engine; the text says so.
    pub(crate) fn or_default(chosen: Option<Self>) -> Result<Self, String> {
        match chosen {
            Some(engine) => Ok(engine),
            None => {
                std::env::var_os(VARIABLE).map_or(Ok(Self::Zmtp), |name| Self::named(&name.to_string_lossy()))
            }
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        let found = [Self::Zmtp, Self::Libzmq].into_iter().find(|engine| engine.name() == name);
        let names = "it can be `zmtp` or `libzmq`";
        found.ok_or_else(|| format!("`{VARIABLE}` is `{name}`; {names}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_have_names_and_other_names_are_refused() {
        for engine in [Engine::Zmtp, Engine::Libzmq] {
            assert_eq!(Engine::named(engine.name()), Ok(engine));
        }
        let error = Engine::named("libzqm").unwrap_err();
        assert_eq!(error, "`ZSVC_ENGINE` is `libzqm`; it can be `zmtp` or `libzmq`");
    }
}
