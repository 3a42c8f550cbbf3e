//! Reports names that are declared twice, hidden, or unknown.

use std::collections::{BTreeMap, HashMap};

use super::service::{no_service, unknown_service};
use super::{BUILTINS, Model, NameError, Symbol, builtin, is_builtin, synonyms};
use crate::ast::{ItemId, ItemKind, Name, Path, Payload, Type};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::parse;
use crate::schema::PackageId;
use crate::source::{FileId, Span};
use crate::suggest;

/// Reports names declared twice: types, services and constants of a package share one namespace, across its files.
pub(super) fn duplicate_names(model: &Model, report: &mut Report) {
    let mut seen: HashMap<(PackageId, &str), &Name> = HashMap::new();
    for (file, item) in model.items() {
        let key = (model.package(file), item.full_name.as_str());
        let Some(first) = seen.get(&key) else {
            seen.insert(key, &item.name);
            continue;
        };
        let message = format!("`{}` is declared twice in this package", item.full_name);
        let diagnostic = Diagnostic::new(diagnostic::DUPLICATE_NAME, message)
            .at(item.name.span, "once more")
            .related(first.span, "first declared here")
            .help("give one of the two another name");
        report.add(diagnostic);
    }
}

/// Reports aliases that are also another alias, a name of this file's package, or a package of one word.
pub(super) fn taken_aliases(model: &Model, report: &mut Report) {
    for file in &model.program.files {
        let mut seen: BTreeMap<&str, &Name> = BTreeMap::new();
        for alias in file.imports.iter().filter_map(|import| import.alias.as_ref()) {
            let earlier = seen.insert(&alias.text, alias);
            // The full name of what is inside of another has a dot.
            let declared = file.items.iter().find(|item| item.full_name == alias.text).map(|item| &item.name);
            let Some(other) = earlier.or(declared) else { continue };
            let what = if earlier.is_some() { "an import" } else { "a declaration" };
            let message = format!("`{}` is also the name of {what}", alias.text);
            let diagnostic = Diagnostic::new(diagnostic::ALIAS_TAKEN, message)
                .at(alias.span, "this name is taken")
                .related(other.span, "here")
                .help("choose another name after `as`");
            report.add(diagnostic);
        }
    }
}

/// Reports uses of unknown types. Names in constants and attributes are checked together with their values.
pub(super) fn unknown_names(model: &Model, report: &mut Report) {
    let mut unknown = Unknown::default();
    for (file, item) in model.items() {
        let mut uses = Uses { model, file, report, unknown: &mut unknown };
        match &item.kind {
            ItemKind::Const { ty, .. } | ItemKind::Alias(ty) => uses.ty(ty),
            ItemKind::Struct(fields) => fields.fields.iter().for_each(|field| uses.ty(&field.ty)),
            ItemKind::Union(union) => {
                union.variants.iter().for_each(|variant| uses.payload(&variant.payload));
            }
            ItemKind::Service(service) => {
                service.extends.iter().for_each(|path| uses.base(path));
                for method in &service.methods {
                    method.parameters.iter().for_each(|parameter| uses.ty(&parameter.ty));
                    method.answer.iter().for_each(|answer| uses.ty(&answer.ty));
                    // A built-in type is known, so the check for errors reports it instead.
                    for path in method.throws.iter().filter(|path| !is_builtin(path)) {
                        uses.named(path);
                    }
                }
            }
            ItemKind::Enum(_) => {}
        }
    }
    unknown.report(model, report);
}

/// The uses of types in one declaration.
struct Uses<'a, 'm> {
    model: &'a Model<'m>,
    file: FileId,
    report: &'a mut Report,
    unknown: &'a mut Unknown<'m>,
}

impl<'m> Uses<'_, 'm> {
    fn payload(&mut self, payload: &'m Payload) {
        match payload {
            Payload::Nothing => {}
            Payload::Type(ty) => self.ty(ty),
            Payload::Fields(fields) => fields.fields.iter().for_each(|field| self.ty(&field.ty)),
        }
    }

    fn ty(&mut self, ty: &'m Type) {
        ty.arguments.iter().for_each(|argument| self.ty(argument));
        let name = match ty.path.segments.as_slice() {
            [name] => name.text.as_str(),
            _ => "",
        };
        match name {
            "list" => self.arguments(ty, 1, "`list` takes the type of its elements", "list<string>"),
            "set" => self.arguments(ty, 1, "`set` takes the type of its elements", "set<string>"),
            "map" => {
                self.arguments(ty, 2, "`map` takes the types of its keys and values", "map<string, u32>");
            }
            _ => {
                let is_wrong = builtin(name).is_none() && self.named_with(&ty.path, &ty.arguments);
                if !is_wrong && !ty.arguments.is_empty() {
                    self.no_arguments(ty);
                }
            }
        }
    }

    fn no_arguments(&mut self, ty: &Type) {
        self.report.add_with(self.file, diagnostic::TYPE_ARGUMENTS, |code| {
            Diagnostic::new(code, "only `list`, `set` and `map` take types")
                .at(ty.span, format!("`{}` takes none", ty.path.text()))
                .help(format!("write `{}`", ty.path.text()))
                .suggest_if(ty.span, ty.optional.is_empty().then(|| ty.path.text()))
        });
    }

    fn arguments(&mut self, ty: &Type, count: usize, message: &str, example: &str) {
        if ty.arguments.len() != count {
            let given = match ty.arguments.len() {
                0 => "no type given".to_owned(),
                1 => "only one type given".to_owned(),
                more => format!("{more} types given"),
            };
            let diagnostic = Diagnostic::new(diagnostic::TYPE_ARGUMENTS, message)
                .at(ty.span, given)
                .help(format!("write, say, `{example}`"));
            self.report.add(diagnostic);
        }
    }

    /// Reports a service that is extended, if it is none.
    fn base(&mut self, path: &Path) {
        let diagnostic = match self.model.lookup(self.file, path) {
            Ok(Symbol::Service(_) | Symbol::Broken) | Err(NameError::Silent) => return,
            Ok(symbol) => no_service(path, symbol),
            Err(NameError::Ambiguous) => ambiguous(path),
            Err(NameError::UnknownPrefix) => {
                let text = path.text();
                let prefix = text.rsplit_once('.').map_or("", |(prefix, _)| prefix);
                unknown_prefix(self.model, self.file, path, prefix, Wanted::Service)
            }
            Err(NameError::Unknown(known)) => unknown_service(self.model, self.file, path, known),
        };
        self.report.add(diagnostic);
    }

    /// Reports whether the name is wrong; if so, an error was added.
    fn named(&mut self, path: &'m Path) -> bool {
        self.named_with(path, &[])
    }

    fn named_with(&mut self, path: &'m Path, arguments: &'m [Type]) -> bool {
        let error = match self.model.lookup(self.file, path) {
            Ok(Symbol::Type(_) | Symbol::Broken) => return false,
            Ok(symbol) => {
                self.report.add(no_type(path, symbol));
                return true;
            }
            Err(error) => error,
        };
        self.unknown.add(self.file, path, arguments, error)
    }
}

fn no_type(path: &Path, symbol: Symbol) -> Diagnostic {
    let what = if matches!(symbol, Symbol::Service(_)) { "a service" } else { "a constant" };
    Diagnostic::new(diagnostic::NO_TYPE, format!("`{}` is {what}, not a type", path.text()))
        .at(path.span, "a type belongs here")
        .help(
            "name a type of the language, or one declared with `struct`, `enum`, `flags`, `union`, `error` or `type`",
        )
}

/// Maximum number of further uses of an unknown name that are shown beside the first.
const MAX_RELATED: usize = 3;

/// The unknown names. One that is used in many places is usually one mistake, at its declaration, so it is reported
/// once for each file.
#[derive(Default)]
struct Unknown<'m> {
    names: Vec<UnknownName<'m>>,
    /// Index of the entry, by file and the unknown part: the whole name, or the words before its last dot.
    known: HashMap<(FileId, String), usize>,
}

struct UnknownName<'m> {
    file: FileId,
    path: &'m Path,
    /// The types that the name is given.
    arguments: &'m [Type],
    error: NameError,
    more: Vec<Span>,
    /// Number of further uses that are not shown.
    hidden: usize,
}

impl<'m> Unknown<'m> {
    /// Adds a use, and reports whether the name is an error: it may refer to a declaration that could not be parsed.
    fn add(&mut self, file: FileId, path: &'m Path, arguments: &'m [Type], error: NameError) -> bool {
        if matches!(error, NameError::Silent) && !is_misspelt(path) {
            return false;
        }
        let span = unknown_part(path, &error);
        let known = synonyms::well_known_path(path).is_some();
        let words = path.segments.iter().filter(|segment| known || segment.span.end <= span.end);
        let words: Vec<&str> = words.map(|segment| segment.text.as_str()).collect();
        let next = self.names.len();
        let index = *self.known.entry((file, words.join("."))).or_insert(next);
        match self.names.get_mut(index) {
            None => {
                self.names.push(UnknownName { file, path, arguments, error, more: Vec::new(), hidden: 0 });
            }
            Some(name) if name.more.len() < MAX_RELATED => name.more.push(span),
            Some(name) => name.hidden += 1,
        }
        true
    }

    fn report(self, model: &Model, report: &mut Report) {
        for name in self.names {
            let code = match name.error {
                NameError::Silent | NameError::Unknown(_) => diagnostic::UNKNOWN_TYPE,
                NameError::UnknownPrefix => diagnostic::UNKNOWN_PREFIX,
                NameError::Ambiguous => diagnostic::AMBIGUOUS,
            };
            report.add_with(name.file, code, |_| name.diagnostic(model));
        }
    }
}

impl UnknownName<'_> {
    fn diagnostic(&self, model: &Model) -> Diagnostic {
        let (file, path) = (self.file, self.path);
        let words: Vec<&str> = path.segments.iter().map(|segment| segment.text.as_str()).collect();
        let before = words.len().saturating_sub(1);
        let mut diagnostic = match self.error {
            NameError::Ambiguous => ambiguous(path),
            NameError::UnknownPrefix => {
                unknown_prefix(model, file, path, &words[..before].join("."), Wanted::Type)
            }
            NameError::Silent => unknown_type(model, file, path, before),
            NameError::Unknown(known) => unknown_type(model, file, path, known),
        };
        if let (["Result"], [answer, error]) = (words.as_slice(), self.arguments) {
            let text = |ty: &Type| parse::shortened(model.program.sources.text(ty.span));
            diagnostic = diagnostic.help(format!("write `-> {} throws {}`", text(answer), text(error)));
        }
        for (index, span) in self.more.iter().enumerate() {
            let is_last = index + 1 == self.more.len() && self.hidden > 0;
            let text =
                if is_last { format!("here, and in {} more places", self.hidden) } else { "here".to_owned() };
            diagnostic = diagnostic.related(*span, text);
        }
        diagnostic
    }
}

/// Returns the span of the unknown part of a name: the first word that is unknown, or all before the last.
pub(super) fn unknown_part(path: &Path, error: &NameError) -> Span {
    let last = path.segments.len().saturating_sub(1);
    match error {
        NameError::Ambiguous => path.span,
        NameError::Unknown(known) => path.segments[(*known).min(last)].span,
        NameError::UnknownPrefix if last > 0 => Span { end: path.segments[last - 1].span.end, ..path.span },
        _ => path.segments[last].span,
    }
}

/// Reports whether a name without a prefix is nearly that of a built-in type: it hardly refers to a lost declaration.
fn is_misspelt(path: &Path) -> bool {
    matches!(path.segments.as_slice(), [name] if suggest::nearest(&name.text, BUILTINS).is_some())
}

fn ambiguous(path: &Path) -> Diagnostic {
    Diagnostic::new(diagnostic::AMBIGUOUS, format!("`{}` may mean two things", path.text()))
        .at(
            path.span,
            "a declaration of this package, of the import of that name, or of the package of that name",
        )
        .help("choose another name after `as`, or write the full name of the package before it")
}

/// What a path is expected to name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Type,
    /// None is inside of a type.
    Service,
}

fn unknown_prefix(model: &Model, file: FileId, path: &Path, prefix: &str, wanted: Wanted) -> Diagnostic {
    let scope = model.scope_of(file);
    let packages = scope.packages.keys().map(|package| model.packages[package.0 as usize].as_str());
    let known = scope.aliases.keys().copied().chain(packages).filter(|name| !name.is_empty());
    let instead = synonyms::well_known_path(path);
    // The name of a type starts with a capital mostly, that of an import or package does not.
    let is_type = wanted == Wanted::Type && prefix.starts_with(|first: char| first.is_ascii_uppercase());
    let types = if is_type { model.type_candidates(file, path.within, &[]) } else { Vec::new() };
    let nearest = suggest::nearest(prefix, known.chain(types));
    let part = unknown_part(path, &NameError::UnknownPrefix);
    let (place, text) = match instead {
        Some(instead) => (path.span, synonyms::exact(instead)),
        None => (part, nearest),
    };
    let help = match (instead, nearest) {
        (Some(instead), _) => format!("write {instead}"),
        (None, Some(nearest)) => format!("did you mean `{nearest}`?"),
        (None, None) => {
            format!("import the file that it comes from: `import \"….svc\" as {};`", path.segments[0].text)
        }
    };
    let message = match wanted {
        Wanted::Type => format!("`{prefix}` is neither an import, nor an imported package, nor a type"),
        Wanted::Service => format!("`{prefix}` is neither an import nor an imported package"),
    };
    let diagnostic = Diagnostic::new(diagnostic::UNKNOWN_PREFIX, message);
    diagnostic.at(part, "unknown").help(help).suggest_if(place, text)
}

/// Reports the first unknown word of a path, of which there are `known` others before it.
fn unknown_type(model: &Model, file: FileId, path: &Path, known: usize) -> Diagnostic {
    let words: Vec<&str> = path.segments.iter().map(|segment| segment.text.as_str()).collect();
    let known = known.min(words.len().saturating_sub(1));
    let (prefix, name) = (&words[..known], words[known]);
    let message = match prefix {
        [] => format!("there is no type `{name}`"),
        _ => format!("`{}` has no type `{name}`", prefix.join(".")),
    };
    let place = Place { file, within: path.within, prefix, name };
    let (help, text) = match (place.instead(model), place.elsewhere(model)) {
        (Some(instead), _) => instead,
        (None, Some(other)) => (format!("`{other}` declares one: import it"), None),
        (None, None) => (place.declare(model), None),
    };
    let part = unknown_part(path, &NameError::Unknown(known));
    Diagnostic::new(diagnostic::UNKNOWN_TYPE, message).at(part, "unknown").help(help).suggest_if(part, text)
}

/// An unknown name, and where it is written.
struct Place<'p> {
    file: FileId,
    within: Option<ItemId>,
    /// The words before it, which are known.
    prefix: &'p [&'p str],
    name: &'p str,
}

impl Place<'_> {
    /// Returns what may have been meant: a type that differs in case alone, one of that name inside of another, the type that
    /// other languages call so, or one of nearly that name. Returns what to do, and what to write if that is all.
    fn instead(&self, model: &Model) -> Option<(String, Option<String>)> {
        let Self { file, within, prefix, name } = *self;
        let builtins = if prefix.is_empty() { BUILTINS.as_slice() } else { &[] };
        let known = || builtins.iter().copied().chain(model.type_candidates(file, within, prefix));
        let same = known().find(|other| other.eq_ignore_ascii_case(name));
        if same.is_none() && prefix.is_empty() {
            if let Some(full) = model.nested_name(file, name) {
                return Some((format!("did you mean `{full}`?"), Some(full.to_owned())));
            }
            if self.elsewhere(model).is_none() {
                if name == "stream" {
                    return Some(("name what is streamed: `stream T`".to_owned(), None));
                }
                if let Some(meant) = synonyms::meant(name) {
                    return Some((format!("write {meant}"), synonyms::exact(meant).map(str::to_owned)));
                }
            }
        }
        let nearest = same.or_else(|| suggest::nearest(name, known()))?;
        Some((format!("did you mean `{nearest}`?"), Some(nearest.to_owned())))
    }

    /// Returns the help where nothing is known that could be meant.
    fn declare(&self, model: &Model) -> String {
        let around = model.type_of_words(self.file, self.within, self.prefix);
        match around.map(|id| &model.declared(id).item.kind) {
            Some(ItemKind::Alias(_)) => {
                format!(
                    "`{0}` is an alias: write the type that it stands for instead of `{0}`",
                    self.prefix.join(".")
                )
            }
            Some(ItemKind::Struct(_) | ItemKind::Union(_)) => {
                format!("declare it inside of `{}`", self.prefix.join("."))
            }
            _ => "declare it, or import the file that does".to_owned(),
        }
    }

    /// Returns a file that declares such a type but is not imported.
    fn elsewhere<'a>(&self, model: &Model<'a>) -> Option<&'a str> {
        if model.type_of_words(self.file, self.within, self.prefix).is_some() {
            return None;
        }
        let declares = |other: &&crate::ast::File| {
            let declared = model.scope_of(other.id).names.get(&(None, self.name));
            other.id != self.file && matches!(declared, Some(Symbol::Type(_)))
        };
        let other = model.program.files.iter().find(declares)?;
        Some(model.program.sources.file(other.id).path())
    }
}
