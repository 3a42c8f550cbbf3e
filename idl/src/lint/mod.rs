//! Lints: rules about what is allowed but better done otherwise, with levels that a user sets.
//!
//! A rule is one function over a `Context` and an entry of `RULES`. `zsvc lint` applies all of them; checking and
//! generating apply those about spelling, and those that a project's `zsvc.toml` names. [`Levels`] has both sets. What
//! is never allowed is in `check`. docs/diagnostics.md has a page for each rule.

mod access;
mod allow;
mod bounds;
mod context;
mod deprecated;
mod docs;
mod events;
mod files;
mod level;
mod methods;
mod names;
mod numbers;
mod spelling;
mod unused;
mod uses;

pub use level::{Level, Levels};

use crate::check::subjects::subjects;
use crate::diagnostic::{self, Code, Report};
use crate::resolve::Model;
use allow::Allows;
use context::{Context, Findings};

/// One rule.
pub struct Rule {
    code: Code,
    name: &'static str,
    level: Level,
    reach: Reach,
    run: fn(&Context, &mut Findings),
}

/// Where a rule is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Everywhere, also in files with errors and in imported ones: the rule is about the spelling of a name alone.
    Spelling,
    /// By `zsvc lint` and where requested, in named files, and only if no file has an error.
    Lint,
}

impl Rule {
    const fn spelling(code: Code, name: &'static str, run: fn(&Context, &mut Findings)) -> Self {
        Self { code, name, level: Level::Warn, reach: Reach::Spelling, run }
    }

    const fn lint(code: Code, name: &'static str, level: Level, run: fn(&Context, &mut Findings)) -> Self {
        Self { code, name, level, reach: Reach::Lint, run }
    }

    /// Returns the code of its findings.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the name as in `zsvc.toml` and on the command line: `missing-docs`. In `@allow(…)` it is `missing_docs`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the level unless a user sets another.
    #[must_use]
    pub fn default_level(&self) -> Level {
        self.level
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

const RULES: &[Rule] = &[
    Rule::spelling(diagnostic::TYPE_STYLE, "pascal-case", spelling::pascal_case),
    Rule::spelling(diagnostic::FIELD_STYLE, "snake-case", spelling::snake_case),
    Rule::spelling(diagnostic::CONSTANT_STYLE, "upper-snake-case", spelling::upper_snake_case),
    Rule::spelling(diagnostic::PACKAGE_STYLE, "lower-case-package", spelling::lower_case_package),
    Rule::lint(diagnostic::MISSING_DOCS, "missing-docs", Level::Warn, docs::missing_docs),
    Rule::lint(diagnostic::MISSING_MEMBER_DOCS, "missing-member-docs", Level::Off, docs::missing_member_docs),
    Rule::lint(diagnostic::UNUSED_IMPORT, "unused-import", Level::Warn, unused::unused_import),
    Rule::lint(diagnostic::UNUSED_TYPE, "unused-type", Level::Warn, unused::unused_type),
    // Its findings are known only after all other rules were applied.
    Rule::lint(diagnostic::UNUSED_ALLOW, "unused-allow", Level::Warn, |_, _| {}),
    Rule::lint(diagnostic::NUMBER_GAPS, "number-gaps", Level::Warn, numbers::number_gaps),
    Rule::lint(diagnostic::UNBOUNDED_LIST, "unbounded-list", Level::Warn, bounds::unbounded_list),
    Rule::lint(
        diagnostic::UNBOUNDED_PARAMETER,
        "unbounded-parameter",
        Level::Off,
        bounds::unbounded_parameter,
    ),
    Rule::lint(
        diagnostic::UNVERSIONED_PACKAGE,
        "unversioned-package",
        Level::Warn,
        files::unversioned_package,
    ),
    Rule::lint(diagnostic::UNARY_DEADLINE, "unary-deadline", Level::Off, methods::unary_deadline),
    Rule::lint(diagnostic::ENDLESS_STREAM, "endless-stream", Level::Warn, methods::endless_stream),
    Rule::lint(diagnostic::DEPRECATED_USE, "deprecated-use", Level::Warn, deprecated::deprecated_use),
    Rule::lint(diagnostic::DEPRECATED_HINT, "deprecated-hint", Level::Warn, docs::deprecated_hint),
    Rule::lint(
        diagnostic::REPEATED_VALUE_NAME,
        "repeated-value-name",
        Level::Warn,
        names::repeated_value_name,
    ),
    Rule::lint(
        diagnostic::REPEATED_FIELD_NAME,
        "repeated-field-name",
        Level::Off,
        names::repeated_field_name,
    ),
    Rule::lint(diagnostic::FITTING_TYPE, "fitting-type", Level::Warn, names::fitting_type),
    Rule::lint(diagnostic::PACKAGE_FOLDER, "package-folder", Level::Off, files::package_folder),
    Rule::lint(diagnostic::FILE_NAME, "file-name", Level::Warn, files::file_name),
    Rule::lint(diagnostic::SERVICE_SUFFIX, "service-suffix", Level::Off, methods::service_suffix),
    Rule::lint(diagnostic::EMPTY_SERVICE, "empty-service", Level::Warn, methods::empty_service),
    Rule::lint(diagnostic::MANY_PARAMETERS, "many-parameters", Level::Warn, methods::many_parameters),
    Rule::lint(diagnostic::BARE_ANSWER, "bare-answer", Level::Off, methods::bare_answer),
    Rule::lint(diagnostic::CRATE_PACKAGE, "crate-package", Level::Warn, files::crate_package),
    Rule::lint(diagnostic::UNSAID_ROLES, "unsaid-roles", Level::Warn, access::unsaid_roles),
    Rule::lint(diagnostic::KEYLESS_CONFLATE, "keyless-conflate", Level::Warn, events::keyless_conflate),
    Rule::lint(diagnostic::CONFLATED_HISTORY, "conflated-history", Level::Warn, events::conflated_history),
];

/// Returns all rules, in the order of their codes.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    RULES.iter()
}

/// Returns the rule of a name, with hyphens or underscores.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    let name = name.replace('_', "-");
    rules().find(|rule| rule.name == name)
}

/// Returns the rule that was likely meant by an unknown name.
#[must_use]
pub fn nearest_rule(name: &str) -> Option<&'static Rule> {
    let names = rules().map(|rule| rule.name);
    crate::suggest::nearest(&name.replace('_', "-"), names).and_then(rule)
}

/// Applies the rules whose levels are above [`Level::Off`].
pub(crate) fn lint(model: &Model, levels: &Levels, report: &mut Report) {
    let sound = !report.has_errors();
    let context = Context { model, subjects: subjects(model) };
    let mut allows = Allows::of(&context.subjects);
    let looked_at =
        |rule: &&Rule| levels.level(rule) != Level::Off && (sound || rule.reach == Reach::Spelling);
    let looked_at: Vec<&Rule> = rules().filter(looked_at).collect();
    for rule in &looked_at {
        let mut findings = Findings { rule, level: levels.level(rule), allows: &mut allows, model, report };
        (rule.run)(&context, &mut findings);
    }
    // Its findings are at the `@allow` that would cover them, so an `@allow` of this rule is never unused itself.
    let (own, others): (Vec<&Rule>, Vec<&Rule>) =
        looked_at.into_iter().partition(|rule| rule.code == diagnostic::UNUSED_ALLOW);
    if let Some(rule) = own.first() {
        let unused = allows.unused(&others);
        let mut findings = Findings { rule, level: levels.level(rule), allows: &mut allows, model, report };
        for (rule, span) in unused {
            findings.unused_allow(rule, span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_in_the_order_of_their_codes_and_named_once() {
        let codes: Vec<&str> = rules().map(|rule| rule.code.id()).collect();
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
        let mut names: Vec<&str> = rules().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), codes.len());
    }

    #[test]
    fn every_warning_but_the_bound_is_a_rule() {
        let warnings = Code::all().filter(|code| code.id().starts_with('W'));
        let ruled: Vec<Code> = rules().map(Rule::code).collect();
        let without: Vec<Code> = warnings.filter(|code| !ruled.contains(code)).collect();
        assert_eq!(without, [diagnostic::MORE_WARNINGS]);
    }

    #[test]
    fn both_spellings_name_a_rule() {
        assert_eq!(rule("snake_case").map(Rule::name), Some("snake-case"));
        assert_eq!(rule("snake-case").map(Rule::name), Some("snake-case"));
        assert!(rule("snakecase").is_none());
        assert_eq!(nearest_rule("snake_cas").map(Rule::name), Some("snake-case"));
    }
}
