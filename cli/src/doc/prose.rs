//! Docs as HTML. They are Markdown, of which any HTML in them is text.

use pulldown_cmark::{CowStr, Event, Parser, Tag, html};

/// Returns docs as HTML.
pub(crate) fn html(docs: &str) -> String {
    let events = Parser::new(docs).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        // A link leads to a page, and nowhere else: not to a script.
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: safe(dest_url), title, id })
        }
        // Pages load nothing from elsewhere.
        Event::Start(Tag::Image { link_type, title, id, .. }) => {
            Event::Start(Tag::Image { link_type, dest_url: CowStr::Borrowed(""), title, id })
        }
        event => event,
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

/// Returns a link, unless it has a scheme other than that of pages and mail.
fn safe(link: CowStr<'_>) -> CowStr<'_> {
    let has_scheme = link.split(['/', '#', '?']).next().is_some_and(|start| start.contains(':'));
    let start = link.trim_start().to_ascii_lowercase();
    let is_known = ["http://", "https://", "mailto:"].iter().any(|scheme| start.starts_with(scheme));
    if has_scheme && !is_known { CowStr::Borrowed("#") } else { link }
}

/// Returns the first sentence or line of docs, as text.
pub(crate) fn first_sentence(docs: &str) -> &str {
    let paragraph = docs.split("\n\n").next().unwrap_or_default();
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    paragraph[..end].lines().next().unwrap_or_default()
}

/// Returns a text for HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_bring_no_html_and_no_scripts() {
        let shown = html(
            "<script>alert(1)</script> a <b onclick=x>b</b>\n\n[x](javascript:alert(1)) [y](https://example.org) [z](JaVaScript:x) ![i](https://example.org/i.png)",
        );
        for bad in ["<script", "<b ", "javascript:", "JaVaScript", "i.png"] {
            assert!(!shown.contains(bad), "{bad}: {shown}");
        }
        assert!(shown.contains("href=\"https://example.org\""), "{shown}");
    }

    #[test]
    fn markdown_is_shown() {
        assert_eq!(
            html("A `b` *c*.\n\n- d"),
            "<p>A <code>b</code> <em>c</em>.</p>\n<ul>\n<li>d</li>\n</ul>\n"
        );
        assert_eq!(first_sentence("One. Two.\n\nThree"), "One.");
        assert_eq!(escaped("a<b>\"&"), "a&lt;b&gt;&quot;&amp;");
    }
}
