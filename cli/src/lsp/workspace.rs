//! What is known of the files around those that are open: their projects, and analyses that stay until a file changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use zsvc_codegen::{Project, Wrong};
use zsvc_idl::analysis::{Analysis, Analyzer};
use zsvc_idl::lint::Levels;
use zsvc_idl::source::FileId;

use super::documents::Documents;
use super::position::{Encoding, Lines};

/// Maximum number of files whose analyses are kept. Past it, those of files that are not open are dropped.
const MAX_KEPT: usize = 200;

/// The state of a server, without its input and output.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) documents: Documents,
    pub(super) encoding: Encoding,
    /// By path of a file, its analysis with what it imports.
    files: BTreeMap<String, Kept>,
    /// By path of a project's `zsvc.toml`, or of a file without one, the analysis of all files together.
    projects: BTreeMap<String, Kept>,
    /// By folder, the project that it belongs to.
    found: BTreeMap<String, Rc<Surroundings>>,
}

/// An analyzer and what it found last.
#[derive(Debug, Default)]
struct Kept {
    analyzer: Analyzer,
    analysis: Option<Rc<Analysis>>,
}

/// The project that a folder belongs to.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The project; `None` if there is none, or if its `zsvc.toml` is wrong.
    pub(super) project: Option<Project>,
    /// What is wrong with its `zsvc.toml`.
    pub(super) wrong: Option<Wrong>,
    /// Include paths.
    pub(super) include: Vec<String>,
    levels: Levels,
}

/// Files that are analyzed together.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) files: Vec<String>,
    /// Include paths.
    pub(super) include: Vec<String>,
    pub(super) levels: Levels,
}

impl Surroundings {
    fn of(folder: &str) -> Self {
        let found = Project::find(Path::new(folder));
        let (project, wrong) = match found {
            Ok(project) => (project, None),
            Err(wrong) => (None, Some(wrong)),
        };
        let include = project.iter().flat_map(Project::include_paths).collect();
        let levels = Levels::of_check();
        let levels = match &project {
            Some(project) => project.levels(levels),
            None => levels,
        };
        Self { project, wrong, include, levels }
    }
}

/// An analysis, seen from one of its files.
#[derive(Clone)]
pub(super) struct View {
    pub(super) analysis: Rc<Analysis>,
    /// The file that was asked for.
    pub(super) file: FileId,
}

impl View {
    /// Returns the text of the file, as it was analyzed.
    pub(super) fn text(&self) -> &str {
        self.analysis.sources.file(self.file).text()
    }

    /// Returns the lines of the file.
    pub(super) fn lines(&self, encoding: Encoding) -> Lines<'_> {
        Lines::of(self.text(), encoding)
    }
}

/// Returns the folder of a path.
pub(super) fn folder_of(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(end) => &path[..end],
        None => "",
    }
}

/// Returns the file of a path among those of an analysis.
pub(super) fn file_at(analysis: &Analysis, path: &str) -> Option<FileId> {
    let files = analysis.sources.files().iter().zip(0..);
    { files }.find(|(file, _)| file.path() == path).map(|(_, id)| FileId(id))
}

impl Workspace {
    /// Returns what is known of a file: its analysis, with what it imports. `None` if it can't be read.
    pub(super) fn view(&mut self, path: &str) -> Option<View> {
        let analysis = self.analysis(path);
        let file = file_at(&analysis, path)?;
        Some(View { analysis, file })
    }

    fn analysis(&mut self, path: &str) -> Rc<Analysis> {
        if let Some(known) = self.files.get(path).and_then(|kept| kept.analysis.clone()) {
            return known;
        }
        let around = self.surroundings(path);
        if self.files.len() >= MAX_KEPT {
            self.files.retain(|path, _| self.documents.get(path).is_some());
        }
        let kept = self.files.entry(path.to_owned()).or_default();
        let files = [path.to_owned()];
        let analysis = kept.analyzer.analyze(&self.documents, &files, &around.include, &around.levels);
        kept.analysis.insert(Rc::new(analysis)).clone()
    }

    /// Returns the analysis of all files of the project that a file belongs to, with the file itself and all that are open in that
    /// project. Without a project, these are the open files, and what they import.
    pub(super) fn project(&mut self, path: &str) -> Rc<Analysis> {
        let around = self.surroundings(path);
        let key = around.project.as_ref().map_or_else(String::new, |project| project.path.clone());
        if let Some(known) = self.projects.get(&key).and_then(|kept| kept.analysis.clone())
            && file_at(&known, path).is_some()
        {
            return known;
        }
        let scope = self.scope(path);
        let kept = self.projects.entry(key).or_default();
        let analysis = kept.analyzer.analyze(&self.documents, &scope.files, &scope.include, &scope.levels);
        kept.analysis.insert(Rc::new(analysis)).clone()
    }

    /// Returns what is analyzed together with a file by [`Self::project`].
    pub(super) fn scope(&mut self, path: &str) -> Scope {
        let around = self.surroundings(path);
        let (include, levels) = (around.include.clone(), around.levels.clone());
        Scope { files: self.project_files(path), include, levels }
    }

    /// Returns the files of the project that a file belongs to, and that file, in order.
    pub(super) fn project_files(&mut self, path: &str) -> Vec<String> {
        let around = self.surroundings(path);
        let mut files: BTreeSet<String> = BTreeSet::from([path.to_owned()]);
        if let Some(project) = &around.project {
            // A project without files is the file that was asked for.
            files.extend(project.files().unwrap_or_default());
        }
        let open: Vec<String> = self.documents.iter().map(|(path, _)| path.clone()).collect();
        files.extend(open.into_iter().filter(|other| {
            let other = self.surroundings(other);
            other.project.as_ref().map(|project| &project.path)
                == around.project.as_ref().map(|project| &project.path)
        }));
        files.into_iter().collect()
    }

    /// Returns the project around a file.
    pub(super) fn surroundings(&mut self, path: &str) -> Rc<Surroundings> {
        let folder = folder_of(path);
        if folder.is_empty() {
            // What is no file on disk belongs to no project.
            return Rc::new(Surroundings {
                project: None,
                wrong: None,
                include: Vec::new(),
                levels: Levels::of_check(),
            });
        }
        if let Some(known) = self.found.get(folder) {
            return known.clone();
        }
        let around = Rc::new(Surroundings::of(folder));
        self.found.insert(folder.to_owned(), around.clone());
        around
    }

    /// Forgets what a changed file makes wrong. Returns the open files whose diagnostics may be others now.
    pub(super) fn changed(&mut self, path: &str) -> Vec<String> {
        self.projects.values_mut().for_each(|kept| kept.analysis = None);
        let mut concerned = Vec::new();
        for (root, kept) in &mut self.files {
            if kept
                .analysis
                .as_ref()
                .is_some_and(|analysis| root == path || file_at(analysis, path).is_some())
            {
                kept.analysis = None;
                concerned.push(root.clone());
            }
        }
        concerned.push(path.to_owned());
        concerned.retain(|path| self.documents.get(path).is_some());
        concerned.sort();
        concerned.dedup();
        concerned
    }

    /// Forgets which projects there are: they are looked for again where they are asked for.
    pub(super) fn found_anew(&mut self) {
        self.found.clear();
    }

    /// Forgets all that depends on the disk: files were made, removed or written, perhaps a `zsvc.toml`. What was parsed stays.
    pub(super) fn disk_changed(&mut self) {
        self.found.clear();
        self.files.retain(|path, _| self.documents.get(path).is_some());
        let kept = self.files.values_mut().chain(self.projects.values_mut());
        kept.for_each(|kept| kept.analysis = None);
    }

    /// Returns the diagnostics of the `zsvc.toml` files of all open files, which may be none, by path.
    pub(super) fn wrong_projects(&mut self) -> Vec<Rc<Surroundings>> {
        let paths: Vec<String> = self.documents.iter().map(|(path, _)| path.clone()).collect();
        let around = paths.iter().map(|path| self.surroundings(path));
        around.filter(|around| around.wrong.is_some()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_those_of_paths() {
        assert_eq!([folder_of("/a/b.svc"), folder_of("/b.svc"), folder_of("untitled:1")], ["/a", "/", ""]);
    }
}
