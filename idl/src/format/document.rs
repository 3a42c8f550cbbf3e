//! A document of text and possible line breaks, and the algorithm that chooses as few breaks as possible.
//!
//! Nothing here knows the language. The documents are those of Wadler's "A prettier printer": a group stays on one line
//! if it fits, else it is broken at its own breaks. An addition is that comments end their lines wherever they are.

use std::mem;

/// Maximum length of a line in characters.
const WIDTH: usize = 100;
const INDENT: usize = 4;

/// A piece of text, or a possible line break.
#[derive(Debug)]
pub(super) enum Doc<'a> {
    Text(&'a str),
    /// Text inside a construct. If a comment has ended the line before it, it is indented further.
    Continued(&'a str),
    Space,
    /// A line break in a broken group; otherwise this text: a space, or nothing.
    Line(&'static str),
    /// A forced line break, which breaks every group around it.
    Hard,
    /// A forced line break like [`Doc::Hard`] with a blank line.
    Blank,
    /// A comma right after the last word, even if comments have followed it.
    Comma,
    /// A comma like [`Doc::Comma`], only if the group is broken.
    LastComma,
    /// A comment after something on its line.
    Trailing(&'a str),
    /// A comment on its own line.
    Own(&'a str),
    /// A comment like [`Doc::Own`], inside a construct.
    OwnContinued(&'a str),
    Indented(Vec<Doc<'a>>),
    Group(Group<'a>),
    /// A group that what comes before it need not leave room for: a line may end where it starts.
    Chunk(Group<'a>),
}

#[derive(Debug)]
pub(super) struct Group<'a> {
    docs: Vec<Doc<'a>>,
    is_broken: bool,
    /// Maximum length of its line in characters.
    width: usize,
}

impl<'a> Group<'a> {
    pub(super) fn of(docs: Vec<Doc<'a>>) -> Self {
        let is_broken = docs.iter().any(Doc::is_broken);
        Self { docs, is_broken, width: WIDTH }
    }

    /// Limits the group to a shorter line than others.
    pub(super) fn within(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    pub(super) fn broken_if(mut self, broken: bool) -> Self {
        self.is_broken |= broken;
        self
    }
}

impl Doc<'_> {
    /// Reports whether it can't be on one line.
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Doc::Hard | Doc::Blank | Doc::Trailing(_) | Doc::Own(_) | Doc::OwnContinued(_) => true,
            Doc::Indented(docs) => docs.iter().any(Doc::is_broken),
            Doc::Group(group) | Doc::Chunk(group) => group.is_broken,
            _ => false,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Flat,
    Broken,
}

/// What is still to be written, the next item last: its mode, indentation and document.
type Rest<'d, 'a> = Vec<(usize, Mode, &'d Doc<'a>)>;

/// Prints documents, with lines broken to fit [`WIDTH`]. The last line has no line feed.
pub(super) fn print(docs: &[Doc]) -> String {
    let mut printer = Printer::default();
    let mut rest: Rest = docs.iter().rev().map(|doc| (0, Mode::Broken, doc)).collect();
    while let Some((indent, mode, doc)) = rest.pop() {
        match doc {
            Doc::Indented(docs) => rest.extend(inside(docs, indent + INDENT, mode)),
            Doc::Group(group) | Doc::Chunk(group) => {
                let mode = match mode {
                    Mode::Flat => Mode::Flat,
                    Mode::Broken if !group.is_broken && printer.fits(indent, group, &rest) => Mode::Flat,
                    Mode::Broken => Mode::Broken,
                };
                rest.extend(inside(&group.docs, indent, mode));
            }
            doc => printer.write(doc, indent, mode),
        }
    }
    printer.text
}

fn inside<'d, 'a>(
    docs: &'d [Doc<'a>],
    indent: usize,
    mode: Mode,
) -> impl Iterator<Item = (usize, Mode, &'d Doc<'a>)> {
    docs.iter().rev().map(move |doc| (indent, mode, doc))
}

#[derive(Debug, Default)]
struct Printer {
    text: String,
    /// Number of line feeds before the next text; its indentation is known only when it is written.
    line_feeds: usize,
    /// Whether a space comes before the next text, unless a line feed does.
    space: bool,
    /// Number of characters since the last line feed.
    column: usize,
    /// Offset in bytes of the end of the last text that is not a comment.
    word_end: usize,
}

impl Printer {
    fn write(&mut self, doc: &Doc, indent: usize, mode: Mode) {
        match (doc, mode) {
            (Doc::Text(text), _) => self.word(text, indent),
            (Doc::Continued(text), _) => self.word(text, indent + INDENT),
            (Doc::Space | Doc::Line(" "), Mode::Flat) | (Doc::Space, Mode::Broken) => self.space = true,
            (Doc::Line(_), Mode::Broken) | (Doc::Hard, _) => self.end_line(1),
            (Doc::Blank, _) => self.end_line(2),
            (Doc::Comma, _) | (Doc::LastComma, Mode::Broken) => self.comma(),
            (Doc::Trailing(text), _) => {
                self.space = true;
                self.comment(text, indent);
            }
            (Doc::Own(text), _) => {
                self.end_line(1);
                self.comment(text, indent);
            }
            (Doc::OwnContinued(text), _) => {
                self.end_line(1);
                self.comment(text, indent + INDENT);
            }
            _ => {}
        }
    }

    fn word(&mut self, text: &str, indent: usize) {
        self.put(text, indent);
        self.word_end = self.text.len();
    }

    fn comment(&mut self, text: &str, indent: usize) {
        self.put(text, indent);
        self.end_line(1);
    }

    fn end_line(&mut self, line_feeds: usize) {
        if !self.text.is_empty() {
            self.line_feeds = self.line_feeds.max(line_feeds);
        }
    }

    fn put(&mut self, text: &str, indent: usize) {
        let space = mem::take(&mut self.space);
        match mem::take(&mut self.line_feeds) {
            0 if space => {
                self.text.push(' ');
                self.column += 1;
            }
            0 => {}
            line_feeds => {
                self.text.extend(std::iter::repeat_n('\n', line_feeds));
                self.text.extend(std::iter::repeat_n(' ', indent));
                self.column = indent;
            }
        }
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn comma(&mut self) {
        self.text.insert(self.word_end, ',');
        self.word_end += 1;
        self.column += 1;
    }

    /// Reports whether a group fits on the line, with what follows it up to the next possible line break.
    fn fits(&self, indent: usize, group: &Group, rest: &Rest) -> bool {
        let column = if self.line_feeds > 0 { indent } else { self.column + usize::from(self.space) };
        let Some(mut room) = group.width.checked_sub(column) else { return false };
        let mut own: Vec<(Mode, &Doc)> = group.docs.iter().rev().map(|doc| (Mode::Flat, doc)).collect();
        let mut rest = rest.iter().rev().map(|(_, mode, doc)| (*mode, *doc));
        loop {
            let Some((mode, doc)) = own.pop().or_else(|| rest.next()) else { return true };
            let taken = match (doc, mode) {
                (Doc::Text(text) | Doc::Continued(text), _) => text.chars().count(),
                (Doc::Line(_), Mode::Broken)
                | (Doc::Hard | Doc::Blank | Doc::Trailing(_) | Doc::Own(_) | Doc::OwnContinued(_), _) => {
                    return true;
                }
                (Doc::Line(text), Mode::Flat) => text.len(),
                (Doc::Space | Doc::Comma, _) | (Doc::LastComma, Mode::Broken) => 1,
                (Doc::LastComma, Mode::Flat) => 0,
                (Doc::Indented(docs), mode) => {
                    own.extend(docs.iter().rev().map(|doc| (mode, doc)));
                    0
                }
                (Doc::Group(inner) | Doc::Chunk(inner), mode) => {
                    let breaks = inner.is_broken || matches!((doc, mode), (Doc::Chunk(_), Mode::Broken));
                    let mode = if breaks { Mode::Broken } else { Mode::Flat };
                    own.extend(inner.docs.iter().rev().map(|doc| (mode, doc)));
                    0
                }
            };
            let Some(left) = room.checked_sub(taken) else { return false };
            room = left;
        }
    }
}
