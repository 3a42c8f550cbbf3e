//! What may follow after the words of a declaration or member that is not finished.

use super::{Expected, Site};

/// Returns what may follow after the words of a declaration outside of others.
pub(super) fn declaration(said: &[&str]) -> Expected {
    match said {
        [] => Expected::Start(Site::File),
        ["const", _, ":"] | ["type", _, "="] => Expected::Type { stream: false },
        ["const" | "type", rest @ ..] if in_type(rest) => Expected::Type { stream: false },
        ["import", path] if path.starts_with('"') => Expected::Word(&["as"]),
        ["service", _] => Expected::Word(&["extends"]),
        ["service", _, "extends", .., "extends" | ","] | ["service", _, "extends"] => Expected::Service,
        _ => Expected::Nothing,
    }
}

/// Reports whether the words end where an argument of `list` or `map` is expected.
fn in_type(said: &[&str]) -> bool {
    let count = |sign| said.iter().filter(|word| **word == sign).count();
    let arrows = said.windows(2).filter(|pair| **pair == ["-", ">"]).count();
    matches!(said.last(), Some(&("<" | ","))) && count("<") + arrows > count(">")
}

/// Returns what may follow after the words of a member of a type.
pub(super) fn member(said: &[&str], site: Site) -> Expected {
    match said {
        [] => Expected::Start(site),
        ["reserved", ..] => Expected::Nothing,
        [.., "="] => Expected::Number,
        [_, ":"] if site != Site::Enum => Expected::Type { stream: false },
        said if in_type(said) => Expected::Type { stream: false },
        _ => Expected::Nothing,
    }
}

/// Returns what may follow after the words of a method.
pub(super) fn method(said: &[&str]) -> Expected {
    let ["rpc" | "oneway", _, rest @ ..] = said else {
        return if said.is_empty() { Expected::Start(Site::Service) } else { Expected::Nothing };
    };
    let count = |sign| rest.iter().filter(|word| **word == sign).count();
    let is_open = count("(") > count(")");
    match rest {
        [.., "throws"] => Expected::Error,
        [.., "-", ">"] => Expected::Type { stream: true },
        said if in_type(said) => Expected::Type { stream: false },
        [.., ":"] if is_open => Expected::Type { stream: true },
        [.., ":", "stream"] if is_open => Expected::Type { stream: false },
        [.., ">", "stream"] if !is_open => Expected::Type { stream: false },
        [.., ")"] if !is_open && said.first() == Some(&"rpc") => Expected::Word(&["->", "throws"]),
        [.., ")", "-", ">", _] | [.., ")", "-", ">", "stream", _] => Expected::Word(&["throws"]),
        _ => Expected::Nothing,
    }
}
