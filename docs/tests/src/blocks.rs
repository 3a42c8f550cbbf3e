//! The fenced blocks of a Markdown file. Used by the build script and by the tests.

/// One fenced block.
#[derive(Debug)]
pub struct Block<'a> {
    /// Text after the opening fence: `rust,example`.
    pub info: &'a str,
    /// Lines between the fences.
    pub text: String,
}

/// A part of a document: a line outside of blocks, or a block.
#[derive(Debug)]
pub enum Part<'a> {
    /// A line outside of any block.
    Line(&'a str),
    /// A block.
    Block(Block<'a>),
}

/// Returns all parts of a document, in order. A block that is not closed extends to the end.
#[must_use]
pub fn parts(markdown: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            parts.push(Part::Line(line));
            continue;
        };
        let inside = lines.by_ref().take_while(|line| *line != "```");
        let text = inside.flat_map(|line| [line, "\n"]).collect();
        parts.push(Part::Block(Block { info, text }));
    }
    parts
}

/// Returns the texts of all blocks with this info.
#[must_use]
pub fn texts(markdown: &str, info: &str) -> Vec<String> {
    let blocks = parts(markdown).into_iter().filter_map(|part| match part {
        Part::Block(block) if block.info == info => Some(block.text),
        Part::Block(_) | Part::Line(_) => None,
    });
    blocks.collect()
}
