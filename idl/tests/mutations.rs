//! Thousands of files that are nearly valid: the tape with bytes or words exchanged, removed or doubled. Each is compiled,
//! rendered and formatted; nothing may panic, and each diagnostic must have a place in the text.
//!
//! The numbers follow from a fixed seed, so that a failure can be reproduced.

mod support;

use support::words::Numbers;
use support::{holds, repository};
use zsvc_idl::diagnostic::{RenderStyle, render};
use zsvc_idl::{MemoryLoader, compile};

const ROUNDS: u64 = 4_000;

fn tape() -> Vec<u8> {
    std::fs::read(repository().join("examples/tape/svc/tape.svc"))
        .expect("the file is part of the repository")
}

/// Compiles and renders a text, and checks what every diagnostic must have.
fn survives(text: Vec<u8>, round: u64) {
    holds::formats(&text);
    let money = std::fs::read(repository().join("examples/tape/svc/money.svc"));
    let loader = MemoryLoader::default()
        .with("tape.svc", text)
        .with("money.svc", money.expect("the file is part of the repository"));
    let compilation = compile(&loader, &["tape.svc".to_owned()], &[]);
    assert_eq!(compilation.schema.is_none(), compilation.has_errors(), "round {round}");
    for diagnostic in &compilation.diagnostics {
        assert_ne!(diagnostic.code.id(), "E0010", "round {round}");
        let label = diagnostic.primary.as_ref().expect("every diagnostic about a text has a place in it");
        assert!(compilation.sources.text(label.span).len() <= 10_000, "round {round}");
        for style in [RenderStyle::Plain, RenderStyle::Coloured] {
            assert!(
                render(diagnostic, &compilation.sources, style).contains(diagnostic.code.id()),
                "round {round}"
            );
        }
    }
}

fn mutated_bytes(text: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(text.len());
        let byte = u8::try_from(numbers.below(256)).expect("below 256");
        match numbers.below(5) {
            0 => text[at] = byte,
            1 => text.insert(at, byte),
            2 => text.truncate(at.max(1)),
            3 => {
                text.remove(at);
            }
            _ => {
                let end = (at + numbers.below(60)).min(text.len());
                let piece = text[at..end].to_vec();
                let to = numbers.below(text.len());
                text.splice(to..to, piece);
            }
        }
    }
    text
}

const WORDS: [&str; 40] = [
    "{", "}", "(", ")", "<", ">", "[", "]", ";", ":", ",", "=", "?", "@", "->", "..", "..=", "\"", "\"x\"",
    "///", "//", "/*", "struct", "enum", "union", "error", "service", "rpc", "oneway", "stream", "reserved",
    "import", "package", "type", "Trade", "Symbol", "Order", "1", "-5ms", "\u{4f60}",
];

fn mutated_words(text: &str, numbers: &mut Numbers) -> Vec<u8> {
    let mut words: Vec<&str> = text.split_inclusive(|character: char| !character.is_alphanumeric()).collect();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(words.len());
        let other = numbers.below(words.len());
        match numbers.below(4) {
            0 => words.swap(at, other),
            1 => words.insert(at, WORDS[numbers.below(WORDS.len())]),
            2 => words[at] = WORDS[numbers.below(WORDS.len())],
            _ => {
                words.remove(at);
            }
        }
    }
    words.concat().into_bytes()
}

#[test]
fn no_exchange_of_bytes_brings_it_down() {
    let (tape, mut numbers) = (tape(), Numbers(0x5eed));
    for round in 0..ROUNDS {
        survives(mutated_bytes(&tape, &mut numbers), round);
    }
}

#[test]
fn no_exchange_of_words_brings_it_down() {
    let tape = String::from_utf8(tape()).expect("the tape is UTF-8");
    let mut numbers = Numbers(0xf00d);
    for round in 0..ROUNDS {
        survives(mutated_words(&tape, &mut numbers), round);
    }
}

#[test]
fn no_end_of_the_file_brings_it_down() {
    let tape = tape();
    for end in 0..tape.len() {
        survives(tape[..end].to_vec(), end as u64);
    }
}

#[test]
fn no_noise_brings_it_down() {
    let mut numbers = Numbers(0xbad);
    for round in 0..500 {
        let length = numbers.below(300);
        survives((0..length).map(|_| u8::try_from(numbers.below(256)).expect("below 256")).collect(), round);
    }
}
