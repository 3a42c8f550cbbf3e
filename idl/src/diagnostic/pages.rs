//! The pages about codes: one page for a screen, and all pages as one document.
//!
//! A page is `pages/CODE.md`: some sentences, then examples as fenced blocks. `svc,wrong` gives just that code,
//! `svc,right` gives nothing; for the findings of `zsvc diff` they are `svc,old` and `svc,new`. An example is a whole
//! file; further files follow after lines `// file: money.svc`. `tests/pages.rs` runs them all.

use super::codes::Code;

/// The text before the pages in the document.
const HEAD: &str = "\
# All diagnostics

After reading the page of a code you know why the rule exists and how to fix what it reports. This document has a page for
every code that `zsvc` reports, each with a wrong and a right example where a short one exists. `zsvc explain CODE` prints the
same page, and `zsvc explain --all` this whole document. It is generated: edit the pages in `idl/src/diagnostic/pages` and not
this file. [The language](language.md) defines the forms of a `.svc` file, and [the tool](tool.md) describes the command.

A code never changes its meaning, and its number is never used again. `E` is an error: there is no schema. `W` is a warning,
which fails nothing unless a project or an option makes it an error. `D` is a change between two schemas. An example is one
file, or several with a line `// file: …` before each but the first.

";

/// Returns the page of a code for a screen: its title, the reason for the rule, what to do, and examples.
#[must_use]
pub fn explain(code: Code) -> String {
    let mut text = format!("{code}: {}\n\n", code.title());
    let mut in_example = false;
    for line in code.page().lines() {
        match line.strip_prefix("```") {
            Some("") => in_example = false,
            Some(info) => {
                in_example = true;
                text.push_str(info.strip_prefix("svc,").unwrap_or(info));
                text.push_str(":\n\n");
            }
            None => {
                let indent = if in_example && !line.is_empty() { "    " } else { "" };
                text.extend([indent, line, "\n"]);
            }
        }
    }
    text
}

/// Returns all pages as one Markdown document: docs/diagnostics.md.
#[must_use]
pub fn reference() -> String {
    let rows: String = Code::all().map(row).collect();
    let sections: String = Code::all().map(section).collect();
    format!("{HEAD}| code | what it is about |\n|---|---|\n{rows}{sections}")
}

fn section(code: Code) -> String {
    format!("\n## {code}: {}\n\n{}", code.title(), code.page())
}

fn row(code: Code) -> String {
    format!("| [`{code}`](#{}) | {} |\n", anchor(code), code.title())
}

/// Returns the link anchor of a code's heading: its letters, digits, hyphens and underscores in lower case, with
/// hyphens for spaces, as the common Markdown viewers do it.
fn anchor(code: Code) -> String {
    let heading = format!("{code}: {}", code.title()).to_lowercase();
    let kept = heading.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.map(|character| if character == ' ' { '-' } else { character }).collect()
}
