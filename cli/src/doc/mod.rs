//! Documentation of a schema, as a static site and as Markdown.
//!
//! - [`model`]: what is told of each declaration, in the order of the schema, with links between them.
//! - [`html`]: pages of a site; [`assets`] are its style and its search, which pages do without.
//! - [`mod@markdown`]: one text for each package; [`prose`] turns docs into HTML.
//!
//! Docs may come from anybody, so no text of a schema is HTML or a script on a page.

mod assets;
mod html;
mod markdown;
mod model;
mod prose;

use zsvc_idl::schema::Schema;

/// A file to write: its path below the folder, and its text.
pub(crate) type Page = (String, String);

/// Returns the files of a site.
pub(crate) fn site(schema: &Schema, title: &str) -> Vec<Page> {
    html::site(schema, title)
}

/// Returns a file of Markdown for each package, and one that lists them.
pub(crate) fn markdown(schema: &Schema, title: &str) -> Vec<Page> {
    markdown::pages(schema, title)
}
