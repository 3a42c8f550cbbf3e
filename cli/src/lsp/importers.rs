//! Finds the closed files of projects that import a file which is open: a change there may make them wrong.

use std::collections::BTreeSet;

use zsvc_codegen::Disk;
use zsvc_idl::Loader;

use super::documents::Documents;
use super::workspace::{Workspace, folder_of};

/// Maximum number of files that are told of; those past it are not.
const MAX_IMPORTERS: usize = 200;

/// Returns the closed files that import an open one themselves, in order.
pub(super) fn importers(workspace: &mut Workspace) -> Vec<String> {
    let open: Vec<String> = workspace.documents.iter().map(|(path, _)| path.clone()).collect();
    let mut projects = BTreeSet::new();
    let mut found = BTreeSet::new();
    for path in &open {
        let around = workspace.surroundings(path);
        let Some(project) = around.project.as_ref().filter(|project| projects.insert(project.path.clone()))
        else {
            continue;
        };
        let files = project.files().unwrap_or_default();
        let closed = files.into_iter().filter(|file| workspace.documents.get(file).is_none());
        found.extend(closed.filter(|file| imports_open(&workspace.documents, file, &around.include)));
    }
    found.into_iter().take(MAX_IMPORTERS).collect()
}

fn imports_open(documents: &Documents, file: &str, include: &[String]) -> bool {
    let Ok(bytes) = Disk::default().load(file) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    let folders = || std::iter::once(folder_of(file)).chain(include.iter().map(String::as_str));
    imports(&text).any(|path| {
        folders()
            .any(|folder| documents.get(&super::documents::normalized(&format!("{folder}/{path}"))).is_some())
    })
}

/// Returns the paths that a text imports, as far as each stands on a line of its own.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("import"));
    lines.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"').map(|(path, _)| path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_without_parsing() {
        let text = "package a;\n  import \"b.svc\" as b;\nimport \"c/d.svc\";\n// import \"e.svc\"\nimports \"f\"\nimport \"g\n";
        assert_eq!(imports(text).collect::<Vec<_>>(), ["b.svc", "c/d.svc"]);
    }
}
