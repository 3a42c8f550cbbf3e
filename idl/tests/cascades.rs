//! One mistake is one error: the tape with a single word or sign left out, doubled or replaced, at each place in turn, is
//! compiled, and the errors are counted. Some slips break two things, and some are no mistake at all; the bounds keep what
//! was reached from getting worse.
//!
//! `cargo test -p zsvc-idl --test cascades -- --nocapture` shows the worst.

mod support;

use std::collections::BTreeMap;
use std::ops::Range;

use support::{rendered, repository};
use zsvc_idl::{Compilation, MemoryLoader, compile};

fn example(name: &str) -> String {
    std::fs::read_to_string(repository().join("examples/tape/svc").join(name))
        .expect("part of the repository")
}

fn compiled(text: &str, money: &str) -> Compilation {
    let loader = MemoryLoader::default().with("tape.svc", text).with("money.svc", money);
    compile(&loader, &["tape.svc".to_owned()], &[])
}

/// Returns the ranges of words, numbers, strings and signs, without comments and docs.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let count = |stop: &dyn Fn(&u8) -> bool| rest.iter().position(stop).unwrap_or(rest.len());
        let length = match rest[0] {
            b'/' => {
                at += count(&|byte| *byte == b'\n');
                continue;
            }
            b'"' => 2 + rest[1..].iter().position(|byte| *byte == b'"').unwrap_or(0),
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            byte if is_word(&byte) => count(&|byte| !is_word(byte)),
            _ if rest.starts_with(b"..=") => 3,
            _ if rest.starts_with(b"->") => 2,
            _ => 1,
        };
        found.push(at..at + length);
        at += length;
    }
    found
}

/// Number of changes by the number of errors that they cause, and the worst changes as text.
#[derive(Default)]
struct Counts {
    by_errors: BTreeMap<usize, usize>,
    worst: Vec<(usize, String)>,
}

impl Counts {
    fn add(&mut self, what: &str, compilation: &Compilation) {
        let errors =
            compilation.diagnostics.iter().filter(|diagnostic| diagnostic.code.id().starts_with('E'));
        let count = errors.count();
        *self.by_errors.entry(count).or_default() += 1;
        if count > 1 {
            self.worst.push((count, format!("{what}: {count} errors\n{}", rendered(compilation))));
        }
    }

    /// Returns, of the changes that are mistakes, how many per thousand have just one error; and the maximum number of errors.
    fn measured(&self, name: &str) -> (usize, usize) {
        let wrong: usize = self.by_errors.range(1..).map(|(_, changes)| changes).sum();
        let one = self.by_errors.get(&1).copied().unwrap_or_default();
        let most = self.by_errors.keys().next_back().copied().unwrap_or_default();
        println!("{name}: {:?}, {} in a thousand have one", self.by_errors, one * 1000 / wrong.max(1));
        for (_, text) in &self.worst {
            println!("---- {name}, {text}");
        }
        (one * 1000 / wrong.max(1), most)
    }
}

/// Changes each token in turn, and counts the errors.
fn each(change: impl Fn(&str) -> Option<String>) -> Counts {
    let (tape, money) = (example("tape.svc"), example("money.svc"));
    let mut counts = Counts::default();
    for token in tokens(&tape) {
        let Some(instead) = change(&tape[token.clone()]) else { continue };
        let line = tape[..token.start].matches('\n').count() + 1;
        let what = format!("line {line}, `{}` to `{instead}`", &tape[token.clone()]);
        let text = format!("{}{instead}{}", &tape[..token.start], &tape[token.end..]);
        counts.add(&what, &compiled(&text, &money));
    }
    counts
}

#[test]
fn a_token_left_out() {
    let (one, most) = each(|_| Some(String::new())).measured("left out");
    assert!(one >= 990 && most <= 2, "{one} in a thousand, at most {most}");
}

#[test]
fn a_token_twice() {
    let (one, most) = each(|token| Some(format!("{token} {token}"))).measured("twice");
    assert!(one >= 990 && most <= 2, "{one} in a thousand, at most {most}");
}

#[test]
fn another_sign() {
    let signs = ["{", "}", "(", ")", "<", ";", ":", ",", "=", ".", "@", "->", "#", "x", "7", "\"x\""];
    let instead = |sign: &'static str| move |token: &str| (token != sign).then(|| format!(" {sign} "));
    let measured = signs.map(|sign| (sign, each(instead(sign)).measured(&format!("as `{sign}`"))));
    for (sign, (one, most)) in measured {
        assert!(one >= 960 && most <= 7, "`{sign}`: {one} in a thousand, at most {most}");
    }
}

#[test]
fn a_misspelt_word() {
    let misspelt = |token: &str| {
        let is_word = token.len() > 2 && token.starts_with(|first: char| first.is_ascii_alphabetic());
        is_word.then(|| format!("{}{}", &token[..1], &token[2..]))
    };
    let (one, most) = each(misspelt).measured("misspelt");
    assert!(one >= 990 && most <= 2, "{one} in a thousand, at most {most}");
}
