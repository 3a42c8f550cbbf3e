//! Names of the language from those of protobuf.

use std::collections::BTreeSet;

/// The names of one declaration or package, no two of which are the same.
#[derive(Debug, Default)]
pub(crate) struct Scope(BTreeSet<String>);

impl Scope {
    /// Adds a name, or the first of `name2`, `name3` and so on that is free.
    pub(crate) fn add(&mut self, name: &str) -> String {
        let numbered = (2_u32..).map(|number| format!("{name}{number}"));
        let mut all = std::iter::once(name.to_owned()).chain(numbered);
        // One of them is free, since the scope is finite.
        let free = all.find(|name| !self.0.contains(name)).unwrap_or_default();
        self.0.insert(free.clone());
        free
    }
}

/// Returns the name of a type that is declared inside another.
pub(crate) fn nested(outer: &str, inner: &str) -> String {
    format!("{outer}.{inner}")
}

/// Returns the last word of a name.
pub(crate) fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Returns the path of the `.svc` file for a `.proto` file.
pub(crate) fn svc_path(proto: &str) -> String {
    format!("{}.svc", proto.strip_suffix(".proto").unwrap_or(proto))
}

/// Returns the path of one file as seen from another, both from the same folder.
pub(crate) fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let folders = from.len().min(to.len()).saturating_sub(1);
    let common = from[..folders].iter().zip(&to[..folders]).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - 1 - common);
    up.chain(to[common..].iter().copied()).collect::<Vec<_>>().join("/")
}

/// Returns a name in `PascalCase`.
pub(crate) fn pascal(name: &str) -> String {
    let shouts = name.bytes().all(|byte| !byte.is_ascii_lowercase()) && name.len() > 1;
    let words = name.split('_').filter(|word| !word.is_empty());
    let pascal: String = words
        .map(|word| {
            let rest = if shouts { word[1..].to_ascii_lowercase() } else { word[1..].to_owned() };
            word[..1].to_ascii_uppercase() + &rest
        })
        .collect();
    if pascal.starts_with(|first: char| first.is_ascii_alphabetic()) { pascal } else { format!("X{pascal}") }
}

/// Returns a name in `snake_case`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::new();
    let letters = name.as_bytes();
    for (at, letter) in letters.iter().enumerate() {
        if letter.is_ascii_uppercase() && starts_word(&letters[..at], letters.get(at + 1)) {
            snake.push('_');
        }
        snake.push(char::from(letter.to_ascii_lowercase()));
    }
    snake
}

/// Reports whether a capital starts a word: it follows a small letter or a digit, or is the last of several capitals.
fn starts_word(before: &[u8], next: Option<&u8>) -> bool {
    match (before.last(), next) {
        (Some(last), _) if last.is_ascii_lowercase() || last.is_ascii_digit() => true,
        (Some(last), Some(next)) => last.is_ascii_uppercase() && next.is_ascii_lowercase(),
        _ => false,
    }
}

/// Returns the names of an enum's values, and those that it reserves: in `PascalCase`, and without the enum's own name if all of them
/// start with it, as protobuf's style asks. No two values have the same.
pub(crate) fn values<'a>(
    enumeration: &str,
    values: impl Iterator<Item = &'a str> + Clone,
    reserved: &[String],
) -> (Vec<String>, Vec<String>) {
    let prefix = snake(enumeration).to_ascii_uppercase() + "_";
    let starts_name = |rest: &str| rest.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_prefixed = |value: &str| value.strip_prefix(&prefix).is_some_and(starts_name);
    let has_prefix = values.clone().all(is_prefixed) && reserved.iter().all(|name| is_prefixed(name));
    let short = |value: &str| pascal(value.strip_prefix(&prefix).filter(|_| has_prefix).unwrap_or(value));
    let mut scope = Scope::default();
    let values = values.map(|value| scope.add(&short(value))).collect();
    (values, reserved.iter().map(|name| short(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_style() {
        assert_eq!(pascal("BUY_NOW"), "BuyNow");
        assert_eq!(pascal("google_rpc_Status"), "GoogleRpcStatus");
        assert_eq!(pascal("X"), "X");
        assert_eq!(pascal("_2nd"), "X2nd");
        assert_eq!(snake("GetUserByID"), "get_user_by_id");
        assert_eq!(snake("HTTPServer2Go"), "http_server2_go");
        let of = |name, all: [&'static str; 2]| values(name, all.into_iter(), &[]).0;
        assert_eq!(of("OrderSide", ["ORDER_SIDE_BUY", "ORDER_SIDE_SELL_ALL"]), ["Buy", "SellAll"]);
        assert_eq!(of("Size", ["SIZE_1", "SIZE_BIG"]), ["Size1", "SizeBig"]);
        assert_eq!(of("E", ["a_b", "A_B"]), ["AB", "AB2"]);
        let (names, reserved) = values("E", ["E_A"].into_iter(), &["E_A_B".to_owned(), "E_a".to_owned()]);
        assert_eq!((names, reserved), (vec!["A".to_owned()], vec!["AB".to_owned(), "A".to_owned()]));
        assert_eq!(values("E", ["E_A"].into_iter(), &["B".to_owned()]).0, ["EA"]);
    }

    #[test]
    fn paths_lead_from_file_to_file() {
        assert_eq!(relative("a/b/c.svc", "a/d/e.svc"), "../d/e.svc");
        assert_eq!(relative("c.svc", "d.svc"), "d.svc");
        assert_eq!(relative("a/c.svc", "d.svc"), "../d.svc");
        assert_eq!(relative("c.svc", "a/d.svc"), "a/d.svc");
    }
}
