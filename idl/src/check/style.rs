//! How names are spelt. Other spellings are warnings: everything works, but readers expect these.

use super::walk;
use crate::ast::{ItemKind, Name};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::{BUILTINS, Model};

/// Types and services are `PascalCase`, constants `UPPER_SNAKE`.
pub(super) fn declarations(model: &Model, report: &mut Report) {
    for (_, item) in model.items() {
        match item.kind {
            ItemKind::Const { .. } => constant(&item.name, report),
            // A name of the language is an error of its own.
            _ if BUILTINS.contains(&item.name.text.as_str()) => {}
            _ => pascal(&item.name, report),
        }
    }
}

/// Fields, methods, parameters and import aliases are `snake_case`, values and variants `PascalCase`.
pub(super) fn members(model: &Model, report: &mut Report) {
    for body in walk::bodies(model) {
        let check = if body.member == "field" { snake } else { pascal };
        body.members.iter().for_each(|(name, _)| check(name, report));
    }
    for (_, method) in walk::methods(model) {
        snake(&method.name, report);
        method.parameters.iter().for_each(|parameter| snake(&parameter.name, report));
    }
    for import in model.program.files.iter().flat_map(|file| &file.imports) {
        import.alias.iter().for_each(|alias| snake(alias, report));
    }
}

/// Packages are in lower case.
pub(super) fn packages(model: &Model, report: &mut Report) {
    for package in model.program.files.iter().filter_map(|file| file.package.as_ref()) {
        let text = package.path.text();
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let diagnostic = Diagnostic::new(
                diagnostic::PACKAGE_STYLE,
                format!("the package `{text}` is not in lower case"),
            )
            .at(package.path.span, "")
            .help(format!("write `{}`", text.to_lowercase()));
            report.add(diagnostic);
        }
    }
}

fn pascal(name: &Name, report: &mut Report) {
    let is_pascal =
        name.text.starts_with(|first: char| first.is_ascii_uppercase()) && !name.text.contains('_');
    if !is_pascal {
        let message = format!("`{}` is not in `PascalCase`", name.text);
        report.add(styled(diagnostic::TYPE_STYLE, message, name, &to_pascal(&name.text)));
    }
}

fn snake(name: &Name, report: &mut Report) {
    if name.text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let message = format!("`{}` is not in `snake_case`", name.text);
        report.add(styled(diagnostic::FIELD_STYLE, message, name, &to_snake(&name.text)));
    }
}

fn constant(name: &Name, report: &mut Report) {
    if name.text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let message = format!("`{}` is not in `UPPER_SNAKE`", name.text);
        report.add(styled(diagnostic::CONSTANT_STYLE, message, name, &to_snake(&name.text).to_uppercase()));
    }
}

fn styled(code: diagnostic::Code, message: String, name: &Name, better: &str) -> Diagnostic {
    let is_name = better.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let help = if !is_name || better == name.text {
        "give it a name of letters".to_owned()
    } else {
        format!("write `{better}`")
    };
    Diagnostic::new(code, message).at(name.span, "").help(help)
}

fn to_pascal(text: &str) -> String {
    let words = text.split('_').filter(|word| !word.is_empty());
    let shouts = text.bytes().all(|byte| !byte.is_ascii_lowercase());
    words
        .map(|word| {
            word[..1].to_uppercase() + &if shouts { word[1..].to_lowercase() } else { word[1..].to_owned() }
        })
        .collect()
}

fn to_snake(text: &str) -> String {
    let mut snake = String::new();
    let mut was_lower = false;
    for character in text.chars() {
        if character.is_ascii_uppercase() && was_lower {
            snake.push('_');
        }
        was_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        assert_eq!(to_pascal("trade_of_day"), "TradeOfDay");
        assert_eq!(to_pascal("BUY_NOW"), "BuyNow");
        assert_eq!(to_pascal("HTTP_server"), "HTTPServer");
        assert_eq!(to_snake("tradeOfDay"), "trade_of_day");
        assert_eq!(to_snake("HTTPServer2Go"), "httpserver2_go");
    }
}
