//! Splits a text into words and the space between them, for tests that change the space.

/// A word, number, string, sign, line of docs or comment, and the space before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) space: &'a str,
    pub(crate) text: &'a str,
}

impl Word<'_> {
    pub(crate) fn is_comment(&self) -> bool {
        self.text.starts_with("//") && !self.is_docs()
    }

    pub(crate) fn is_docs(&self) -> bool {
        self.text.starts_with("///") && !self.text.starts_with("////")
    }
}

/// Returns all words of a text without syntax errors, and the space after the last.
pub(crate) fn words(text: &str) -> (Vec<Word<'_>>, &str) {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        let start = rest.len() - rest.trim_ascii_start().len();
        let (space, behind) = rest.split_at(start);
        let length = length(behind);
        if length == 0 {
            return (words, space);
        }
        words.push(Word { space, text: behind[..length].trim_ascii_end() });
        // Space at the end of a comment is space like any other.
        rest = &behind[words.last().map_or(length, |word| word.text.len())..];
    }
}

fn length(text: &str) -> usize {
    let end = |found: Option<usize>| found.unwrap_or(text.len());
    match text.as_bytes() {
        [] => 0,
        [b'"', ..] => string_length(text),
        // Bytes.
        [b'b', b'"', ..] => 1 + string_length(&text[1..]),
        [b'/', b'/', ..] => end(text.find('\n')),
        [b'-', b'>', ..] => 2,
        [byte, ..] if is_part_of_word(*byte) || *byte == b'.' || *byte == b'-' => {
            let sign_of_exponent = |at: usize| {
                matches!(text.as_bytes()[at - 1], b'e' | b'E') && text.as_bytes()[0].is_ascii_digit()
            };
            let ends = |(at, byte): (usize, &u8)| {
                let goes_on = is_part_of_word(*byte)
                    || *byte == b'.'
                    || *byte == b'=' && text[..at].ends_with("..")
                    || *byte == b'-' && (text[..at].ends_with("..") || text[..at].ends_with("..="))
                    || matches!(byte, b'+' | b'-') && sign_of_exponent(at);
                !goes_on
            };
            end(text
                .as_bytes()
                .iter()
                .enumerate()
                .skip(1)
                .find(|found| ends((found.0, found.1)))
                .map(|it| it.0))
        }
        _ => text.chars().next().map_or(0, char::len_utf8),
    }
}

fn is_part_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the texts of all words except commas, which formatting may add or remove.
pub(crate) fn without_commas(text: &str) -> Vec<&str> {
    words(text).0.into_iter().map(|word| word.text).filter(|text| *text != ",").collect()
}

/// A xorshift generator: even enough for tests, and the same on every platform.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).expect("below a usize")
    }
}

/// Returns the same words with other space between them. Only what the style keeps of space is kept: whether a comment is
/// on its own line, and whether a line is blank between members, declarations and comments.
pub(crate) fn scrambled(text: &str, numbers: &mut Numbers) -> String {
    let (words, _) = words(text);
    let mut scrambled = space(numbers, 0, 3);
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            scrambled.push_str(&space_between(&words[index - 1], word, numbers));
        }
        scrambled.push_str(word.text);
    }
    let ends_line = words.last().is_some_and(|word| word.text.starts_with("//"));
    scrambled + &space(numbers, usize::from(ends_line), 3)
}

fn space_between(before: &Word, word: &Word, numbers: &mut Numbers) -> String {
    let line_feeds = word.space.matches('\n').count();
    if word.is_comment() && line_feeds == 0 {
        return " \t ".repeat(numbers.below(3));
    }
    let may_be_free = word.is_comment() || before.is_comment() || matches!(before.text, ";" | "}");
    let ends_line = before.is_comment() || before.is_docs() || word.is_comment();
    let (least, most) = match (may_be_free && word.text != "}", line_feeds) {
        (true, 2..) => (2, 4),
        (true, _) => (usize::from(ends_line), 1),
        (false, _) => (usize::from(ends_line), 4),
    };
    let space = space(numbers, least, most);
    if space.is_empty() && needs_space(before.text, word.text) { " ".to_owned() } else { space }
}

/// Returns random space with a number of line feeds.
fn space(numbers: &mut Numbers, least: usize, most: usize) -> String {
    let ends = ["\n", "\r\n", "\t\n", "  \n"];
    let count = least + numbers.below(most - least + 1);
    let mut space: String = (0..count).map(|_| ends[numbers.below(ends.len())]).collect();
    space.push_str(["", " ", "\t", "      "][numbers.below(4)]);
    space
}

/// Reports whether two words would be one without space between them.
fn needs_space(before: &str, word: &str) -> bool {
    let is_word =
        |byte: Option<&u8>| byte.is_some_and(|byte| is_part_of_word(*byte) || b".-/".contains(byte));
    is_word(before.as_bytes().last()) && is_word(word.as_bytes().first())
}
