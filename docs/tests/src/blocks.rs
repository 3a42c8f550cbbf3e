//! The fenced blocks of a Markdown file. Used by the build script and by the tests.

/// One fenced block.
#[derive(Debug)]
pub struct Block<'a> {
    /// What stands behind the opening fence: `rust,example`.
    pub info: &'a str,
    /// What stands between the fences.
    pub text: String,
}

/// A document, cut into its lines outside of blocks and its blocks.
#[derive(Debug)]
pub enum Part<'a> {
    /// A line outside of any block.
    Line(&'a str),
    /// A block.
    Block(Block<'a>),
}

/// All of a document, in order. A block that is not closed reaches to the end.
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

/// The texts of all blocks with this info.
#[must_use]
pub fn texts(markdown: &str, info: &str) -> Vec<String> {
    let blocks = parts(markdown).into_iter().filter_map(|part| match part {
        Part::Block(block) if block.info == info => Some(block.text),
        Part::Block(_) | Part::Line(_) => None,
    });
    blocks.collect()
}
