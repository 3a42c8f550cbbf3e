//! The grammars in `editors/` have the words of the language: all keywords, literals and built-in types, and no others.

mod support;

use std::collections::BTreeSet;

use support::repository;
use zsvc_idl::analysis::language::{KEYWORDS, LITERALS, builtin_types};

fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join("editors").join(path))
        .expect("the file is part of the repository")
}

/// Returns the words in quotes between two texts.
fn quoted(text: &str, start: &str, end: &str) -> BTreeSet<String> {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("there is no `{start}`")).1;
    let list = rest.split_once(end).expect("an end").0;
    list.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

fn owned<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_tree_sitter_grammar_has_the_words_of_the_language() {
    let grammar = text("tree-sitter-svc/grammar.js");
    assert_eq!(
        quoted(&grammar, "const KEYWORDS = [", "];"),
        owned(KEYWORDS.iter().map(|keyword| keyword.word))
    );
    assert_eq!(quoted(&grammar, "const BUILTIN_TYPES = [", "];"), owned(builtin_types().iter().copied()));
    assert_eq!(quoted(&grammar, "const LITERALS = [", "];"), owned(LITERALS));
}

#[test]
fn the_queries_for_highlights_name_every_keyword() {
    let queries = text("tree-sitter-svc/queries/highlights.scm");
    for keyword in KEYWORDS {
        assert!(queries.contains(&format!("\"{}\"", keyword.word)), "{} is missing", keyword.word);
    }
}

#[test]
fn the_textmate_grammar_has_the_words_of_the_language() {
    let grammar = text("textmate/svc.tmLanguage.json");
    // The words of its expressions: between `\\b`, parentheses and bars. Names of rules and scopes are longer paths.
    let expressions = grammar.lines().filter(|line| line.contains("\"match\"") || line.contains("\"begin\""));
    let expressions: Vec<&str> = expressions.collect();
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let has = |word: &str| {
        expressions.iter().any(|line| {
            line.replace("\\b", " ").split(|character| !is_word(character)).any(|found| found == word)
        })
    };
    for word in
        KEYWORDS.iter().map(|keyword| keyword.word).chain(LITERALS).chain(builtin_types().iter().copied())
    {
        assert!(has(word), "`{word}` is missing");
    }
    let builtin =
        grammar.split_once("bool|").expect("the built-in types").1.split_once(')').expect("their end").0;
    assert_eq!(owned(format!("bool|{builtin}").split('|')), owned(builtin_types().iter().copied()));
}
