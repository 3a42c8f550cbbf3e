//! The pages of a site: one for each package, and one that lists them. All of them can be read without scripts.

use std::fmt::Write as _;

use serde_json::json;
use zsvc_idl::schema::{
    Constant, Field, Notes, Package, Payload, Schema, Service, TypeId, TypeKind, Variant,
};

use super::Page;
use super::assets::{SEARCH, STYLE};
use super::model::{Index, Part, deprecation, facts, field_facts, kind, link_of, literal, needs};
use super::prose::{escaped, first_sentence, html};

/// Returns all files of a site.
pub(crate) fn site(schema: &Schema, title: &str) -> Vec<Page> {
    let index = Index::new(schema);
    let writer = Writer { index: &index, title };
    let mut pages = vec![
        ("index.html".to_owned(), writer.front()),
        ("style.css".to_owned(), STYLE.to_owned()),
        ("search.js".to_owned(), format!("{}{SEARCH}", names(&index))),
    ];
    for package in &schema.packages {
        pages.push((format!("{}.html", package.full_name()), writer.package(package)));
    }
    pages
}

/// Returns a script with all names: the name, its kind, its link, and what its docs begin with.
fn names(index: &Index<'_>) -> String {
    let schema = index.schema;
    let mut entries = Vec::new();
    for package in &schema.packages {
        let full = package.full_name();
        entries.push(json!([full, "package", format!("{full}.html"), first_sentence(&package.docs)]));
        for service in &package.services {
            let name = format!("{full}.{}", service.name);
            let link = link_of(&name, &service.name, None);
            entries.push(json!([name, "service", link, first_sentence(&service.notes.docs)]));
            for method in &service.methods {
                let link = link_of(&name, &service.name, Some(&method.name));
                entries.push(json!([
                    format!("{name}/{}", method.name),
                    "method",
                    link,
                    first_sentence(&method.notes.docs)
                ]));
            }
        }
        for id in &package.types {
            let definition = schema.definition(*id);
            let docs = first_sentence(&definition.notes.docs);
            entries.push(json!([index.full_name(*id), kind(&definition.kind), index.link(*id), docs]));
        }
    }
    // `<` would end a script that holds these texts.
    format!("const NAMES = {};\n", serde_json::Value::from(entries).to_string().replace('<', "\\u003c"))
}

/// Largest number of packages that are listed beside each page.
const MAX_LISTED: usize = 60;

struct Writer<'a> {
    index: &'a Index<'a>,
    title: &'a str,
}

impl Writer<'_> {
    /// Returns a whole page around a text.
    fn page(&self, name: &str, here: Option<&Package>, body: &str) -> String {
        let title = if name.is_empty() {
            escaped(self.title)
        } else {
            format!("{} – {}", escaped(name), escaped(self.title))
        };
        let packages = self.packages(here);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"style.css\">\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#content\">Skip to the content</a>\n\
             <header><a class=\"home\" href=\"index.html\">{home}</a>\n\
             <form id=\"search\" role=\"search\" hidden><label for=\"query\">Search</label>\
             <input id=\"query\" type=\"search\" autocomplete=\"off\" placeholder=\"Search (press /)\">\
             <ul id=\"found\" aria-live=\"polite\"></ul></form></header>\n\
             <div class=\"columns\">\n<nav aria-label=\"Packages\"><ul>\n{packages}</ul></nav>\n<main id=\"content\">\n{body}</main>\n</div>\n\
             <script src=\"search.js\"></script>\n</body>\n</html>\n",
            home = escaped(self.title)
        )
    }

    /// Returns the links to packages beside a page: to all, or to those near it, since a list of all on each page would make up most of a
    /// large site.
    fn packages(&self, here: Option<&Package>) -> String {
        let all = &self.index.schema.packages;
        let is_here = |package: &Package| here.is_some_and(|here| here.name == package.name);
        let place = all.iter().position(is_here).unwrap_or(0);
        let (first, count) = if all.len() <= MAX_LISTED {
            (0, all.len())
        } else {
            (place.saturating_sub(MAX_LISTED / 2).min(all.len() - MAX_LISTED), MAX_LISTED)
        };
        let link = |package: &Package| {
            let full = escaped(&package.full_name());
            let current = if is_here(package) { " aria-current=\"page\"" } else { "" };
            format!("<li><a href=\"{full}.html\"{current}>{full}</a></li>\n")
        };
        let whole = (count < all.len())
            .then(|| format!("<li><a href=\"index.html\">All {} packages</a></li>\n", all.len()));
        whole.into_iter().chain(all.iter().skip(first).take(count).map(link)).collect()
    }

    fn front(&self) -> String {
        let mut body = format!("<h1>{}</h1>\n", escaped(self.title));
        if self.index.schema.packages.len() > 1 {
            body.push_str(
                "<table>\n<thead><tr><th>Package</th><th>Services</th><th>Uses</th></tr></thead>\n<tbody>\n",
            );
        } else {
            body.push_str("<table>\n<thead><tr><th>Package</th><th>Services</th></tr></thead>\n<tbody>\n");
        }
        for package in &self.index.schema.packages {
            let full = escaped(&package.full_name());
            let services = package.services.iter().map(|service| {
                let name = escaped(&service.name);
                format!("<a href=\"{full}.html#{name}\">{name}</a>")
            });
            let services: Vec<String> = services.collect();
            let docs = escaped(first_sentence(&package.docs));
            // A string takes whatever is written to it, here and below.
            let _ = write!(
                body,
                "<tr><td><a href=\"{full}.html\">{full}</a><br><small>{docs}</small></td><td>{}</td>",
                services.join(", ")
            );
            if self.index.schema.packages.len() > 1 {
                let _ = write!(body, "<td>{}</td>", package_links(&needs(self.index, package)));
            }
            body.push_str("</tr>\n");
        }
        body.push_str("</tbody>\n</table>\n");
        self.page("", None, &body)
    }

    fn package(&self, package: &Package) -> String {
        let full = package.full_name();
        let mut body = format!("<h1><small>package</small> {}</h1>\n{}", escaped(&full), html(&package.docs));
        let needed = needs(self.index, package);
        if !needed.is_empty() {
            let _ = writeln!(body, "<p>Uses {}.</p>", package_links(&needed));
        }
        for service in &package.services {
            self.service(&mut body, &full, service);
        }
        for id in &package.types {
            self.definition(&mut body, *id);
        }
        if !package.constants.is_empty() {
            self.constants(&mut body, &package.constants);
        }
        self.page(&full, Some(package), &body)
    }

    fn service(&self, body: &mut String, package: &str, service: &Service) {
        heading(body, 2, "service", &service.name, &service.name);
        body.push_str(&html(&service.notes.docs));
        body.push_str(&said(deprecation(&service.notes).as_slice()));
        for method in &service.methods {
            heading(body, 3, "", &method.name, &format!("{}.{}", service.name, method.name));
            let _ = writeln!(body, "<pre><code>{}</code></pre>", self.parts(&Index::signature(method)));
            body.push_str(&said(&facts(service, method)));
            body.push_str(&html(&method.notes.docs));
            let parameters: Vec<&Field> = method
                .parameters
                .iter()
                .filter(|field| {
                    !field.notes.docs.is_empty() || !field_facts(self.index.schema, field).is_empty()
                })
                .collect();
            if !parameters.is_empty() {
                self.fields(body, "Parameter", &parameters, false);
            }
            let call = format!("zsvc call {package}.{}/{}", service.name, method.name);
            let _ = writeln!(body, "<p><code class=\"call\">{}</code></p>", escaped(&call));
        }
    }

    fn definition(&self, body: &mut String, id: TypeId) {
        let definition = self.index.schema.definition(id);
        heading(body, 2, kind(&definition.kind), &definition.name, &definition.name);
        body.push_str(&html(&definition.notes.docs));
        body.push_str(&said(deprecation(&definition.notes).as_slice()));
        match &definition.kind {
            TypeKind::Alias(ty) => {
                let _ = writeln!(
                    body,
                    "<pre><code>type {} = {}</code></pre>",
                    escaped(&definition.name),
                    self.parts(&Index::ty(ty))
                );
            }
            TypeKind::Struct(structure) => {
                self.fields(body, "Field", &structure.fields.iter().collect::<Vec<_>>(), true);
            }
            TypeKind::Enum(values) => {
                let rows =
                    values.iter().map(|value| (value.number.into(), value.name.as_str(), &value.notes));
                enumeration(body, "Value", rows);
            }
            TypeKind::Flags(flags) => {
                let rows = flags.iter().map(|flag| (flag.number.into(), flag.name.as_str(), &flag.notes));
                enumeration(body, "Flag", rows);
            }
            TypeKind::Union(variants) | TypeKind::Error(variants) => self.variants(body, variants),
        }
        let uses = self
            .index
            .uses(id)
            .iter()
            .map(|(name, link)| format!("<a href=\"{}\">{}</a>", escaped(link), escaped(name)));
        let uses: Vec<String> = uses.collect();
        if !uses.is_empty() {
            let _ = writeln!(body, "<p class=\"uses\">Used by {}.</p>", uses.join(", "));
        }
    }

    fn fields(&self, body: &mut String, what: &str, fields: &[&Field], with_numbers: bool) {
        let number = if with_numbers { "<th>No.</th>" } else { "" };
        let _ = writeln!(
            body,
            "<div class=\"wide\"><table>\n<thead><tr>{number}<th>{what}</th><th>Type</th><th>Meaning</th></tr></thead>\n<tbody>"
        );
        for field in fields {
            let number = if with_numbers { format!("<td>{}</td>", field.number) } else { String::new() };
            let _ = writeln!(
                body,
                "<tr>{number}<td><code>{}</code></td><td><code>{}</code></td><td>{}{}</td></tr>",
                escaped(&field.name),
                self.parts(&Index::ty(&field.ty)),
                html(&field.notes.docs),
                said(&field_facts(self.index.schema, field))
            );
        }
        body.push_str("</tbody>\n</table></div>\n");
    }

    fn variants(&self, body: &mut String, variants: &[Variant]) {
        for variant in variants {
            let _ = write!(
                body,
                "<h4><code>{}</code> <small>= {}</small></h4>\n{}",
                escaped(&variant.name),
                variant.number,
                html(&variant.notes.docs)
            );
            body.push_str(&said(deprecation(&variant.notes).as_slice()));
            match &variant.payload {
                Payload::Nothing => {}
                Payload::Type { ty, .. } => {
                    let _ = writeln!(body, "<p><code>{}</code></p>", self.parts(&Index::ty(ty)));
                }
                Payload::Fields(fields) => {
                    self.fields(body, "Field", &fields.iter().collect::<Vec<_>>(), true);
                }
            }
        }
    }

    fn constants(&self, body: &mut String, constants: &[Constant]) {
        body.push_str("<h2 id=\"constants\">Constants</h2>\n");
        for constant in constants {
            let value = escaped(&literal(self.index.schema, &constant.value));
            let _ = writeln!(
                body,
                "<pre id=\"{name}\"><code>const {name}: {} = {value}</code></pre>\n{}",
                self.parts(&Index::ty(&constant.ty)),
                html(&constant.notes.docs),
                name = escaped(&constant.name)
            );
        }
    }

    /// Returns a signature, in which types are links.
    fn parts(&self, parts: &[Part]) -> String {
        let shown = parts.iter().map(|part| match part {
            Part::Text(text) => escaped(text),
            Part::Type(id) => {
                let name = escaped(&self.index.schema.definition(*id).name);
                format!("<a href=\"{}\">{name}</a>", escaped(&self.index.link(*id)))
            }
        });
        shown.collect()
    }
}

/// Writes the values of an enum, or flags: their numbers, names and notes.
fn enumeration<'n>(body: &mut String, what: &str, rows: impl Iterator<Item = (i64, &'n str, &'n Notes)>) {
    let _ = writeln!(
        body,
        "<div class=\"wide\"><table>\n<thead><tr><th>No.</th><th>{what}</th><th>Meaning</th></tr></thead>\n<tbody>"
    );
    for (number, name, notes) in rows {
        let _ = writeln!(
            body,
            "<tr><td>{number}</td><td><code>{}</code></td><td>{}{}</td></tr>",
            escaped(name),
            html(&notes.docs),
            said(deprecation(notes).as_slice())
        );
    }
    body.push_str("</tbody>\n</table></div>\n");
}

fn heading(body: &mut String, level: u8, kind: &str, name: &str, anchor: &str) {
    let kind = if kind.is_empty() { String::new() } else { format!("<small>{kind}</small> ") };
    let (name, anchor) = (escaped(name), escaped(anchor));
    let _ = writeln!(
        body,
        "<h{level} id=\"{anchor}\"><a class=\"anchor\" href=\"#{anchor}\">{kind}{name}</a></h{level}>"
    );
}

/// Returns what is said beside a declaration, as a line.
fn said(facts: &[String]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let facts: Vec<String> = facts.iter().map(|fact| format!("<span>{}</span>", escaped(fact))).collect();
    format!("<p class=\"facts\">{}</p>\n", facts.join(" "))
}

fn package_links(packages: &[String]) -> String {
    let links = packages.iter().map(|name| format!("<a href=\"{0}.html\">{0}</a>", escaped(name)));
    links.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use zsvc_idl::{MemoryLoader, compile};

    use super::*;

    /// A schema with every kind of declaration, and docs that try to be more than text.
    fn pages() -> Vec<Page> {
        let loader = MemoryLoader::default()
            .with(
                "market.svc",
                "/// Trades. <script>alert(1)</script>
                package market.v1;
                import \"money.svc\" as money;
                /// The most.
                const MAX: u32 = 5;
                type Symbol = string;
                /// A [trade](javascript:alert(1)) of `A`.
                struct Trade { /// Its <b onclick=x>name</b> | or so.
                    @len(1..=12) symbol: Symbol = 1; @default(7) lot: u32 = 2; price: money.Amount? = 3; all: map<string, list<Trade>> = 4; }
                enum Side { Buy = 1; @deprecated(\"</p>\") Sell = 2; }
                union Order { Limit { at: f64 = 1; } = 1; Market: Trade = 2; CancelAll = 3; }
                error Wrong { @message(\"no {symbol}\") Unknown { symbol: Symbol = 1; } = 1; }
                /// A service.
                service Tape {
                    /// The last.
                    @deadline(500ms) @idempotent rpc last(@len(1..) symbol: Symbol) -> Trade throws Wrong;
                    rpc talk(orders: stream Order) -> stream Trade;
                    oneway note(side: Side);
                }",
            )
            .with("money.svc", "package money.v1; struct Amount { units: i64 = 1; }");
        let compilation = compile(&loader, &["market.svc".to_owned()], &[]);
        site(&compilation.schema.expect("no errors"), "A & B")
    }

    /// Returns the names and attributes of the tags of a page, in order, and the text without them.
    fn tags(page: &str) -> Vec<&str> {
        page.split('<').skip(1).map(|tag| tag.split('>').next().unwrap_or_default()).collect()
    }

    #[test]
    fn tags_are_closed_in_order() {
        const VOID: [&str; 6] = ["!DOCTYPE", "meta", "link", "input", "br", "hr"];
        for (name, page) in pages().iter().filter(|(name, _)| name.ends_with("html")) {
            let mut open: Vec<&str> = Vec::new();
            for tag in tags(page) {
                let word = tag.split([' ', '\n']).next().unwrap_or_default();
                match word.strip_prefix('/') {
                    Some(closed) => assert_eq!(open.pop(), Some(closed), "{name}"),
                    None if VOID.contains(&word) || word.ends_with('/') => {}
                    None => open.push(word),
                }
            }
            assert_eq!(open, [""; 0], "{name}");
        }
    }

    #[test]
    fn links_lead_somewhere_and_anchors_are_there_once() {
        let pages = pages();
        let mut places = BTreeSet::new();
        for (name, page) in &pages {
            places.insert(name.clone());
            for id in page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(places.insert(format!("{name}#{id}")), "`{id}` is twice in {name}");
            }
        }
        for (name, page) in pages.iter().filter(|(name, _)| name.ends_with("html")) {
            for link in page.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let is_elsewhere = link == "data:," || link == "#";
                let whole = if link.starts_with('#') { format!("{name}{link}") } else { link.to_owned() };
                assert!(is_elsewhere || places.contains(&whole), "{name}: `{link}` leads nowhere");
            }
        }
    }

    #[test]
    fn docs_are_text() {
        for (name, page) in pages().iter().filter(|(name, _)| name.ends_with("html")) {
            for bad in ["<script>alert", "<b onclick", "javascript:"] {
                assert!(!page.contains(bad), "{name}: {bad}");
            }
        }
        let names = &pages().iter().find(|(name, _)| name == "search.js").expect("a search").1.clone();
        assert!(names.starts_with("const NAMES = [[\"market.v1\""), "{names}");
        assert!(names.contains("market.v1.Tape/last"));
    }
}
