//! What was parsed before, for those who read the same files again: each tree is used where its text is as it was.

use super::Program;
use crate::ast::File;
use crate::diagnostic::Report;
use crate::parse;
use crate::source::{FileId, SourceMap};

/// The trees of an earlier run by [`FileId`], which is in all of their spans.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    earlier: Vec<Option<Tree>>,
    /// By [`FileId`], what parsing has reported in this run.
    reports: Vec<Option<Report>>,
}

#[derive(Debug)]
struct Tree {
    text: String,
    file: File,
    /// What parsing has reported.
    report: Report,
}

impl Parsed {
    /// Returns the tree of a text, and adds what parsing reports.
    pub(super) fn file(&mut self, id: FileId, text: &str, report: &mut Report) -> File {
        let index = id.0 as usize;
        let earlier = self.earlier.get_mut(index).and_then(|tree| tree.take_if(|tree| tree.text == text));
        let (file, own) = if let Some(tree) = earlier {
            (tree.file, tree.report)
        } else {
            let mut own = Report::default();
            (parse::parse(id, text, &mut own), own)
        };
        report.merge(&own);
        self.reports.resize_with(self.reports.len().max(index + 1), || None);
        self.reports[index] = Some(own);
        file
    }

    /// Takes the trees of a finished run, in the place of those before. Returns the texts.
    pub(crate) fn keep(&mut self, program: Program) -> SourceMap {
        let mut reports = std::mem::take(&mut self.reports).into_iter();
        let texts = program.sources.files().iter().map(|file| file.text().to_owned());
        let trees = program.files.into_iter().zip(texts);
        self.earlier = trees
            .map(|(file, text)| {
                // Without a report it was parsed from another text than this one.
                let report = reports.next().flatten()?;
                Some(Tree { text, file, report })
            })
            .collect();
        program.sources
    }
}
