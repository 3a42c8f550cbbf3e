//! `zsvc lint [FILE…] [-A RULE] [-W RULE] [-D RULE] [--list]`

use clap::Args;
use zsvc_idl::lint::{Level, Levels, Rule, nearest_rule, rule, rules};

use super::Outcome;
use super::inputs::{Inputs, Setting};
use super::report::Report;

/// The arguments of `lint`.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    #[command(flatten)]
    inputs: Inputs,
    /// The path that standard input, `-`, stands for: it is shown in messages, and imports are looked for beside it.
    #[arg(long, value_name = "FILE")]
    stdin_path: Option<String>,
    /// Turns a rule off; may be given several times.
    #[arg(short = 'A', long, value_name = "RULE")]
    allow: Vec<String>,
    /// Warns of what a rule finds; may be given several times.
    #[arg(short = 'W', long, value_name = "RULE")]
    warn: Vec<String>,
    /// Fails where a rule finds something; `warnings` stands for all that would warn. May be given several times.
    #[arg(short = 'D', long, value_name = "RULE")]
    deny: Vec<String>,
    /// The level of a rule: off, warn or deny; may be given several times.
    #[arg(long, value_name = "RULE=LEVEL", value_parser = level)]
    level: Vec<(String, Level)>,
    /// Prints all rules with their codes and levels, and reads no file.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    report: Report,
}

impl Lint {
    /// Checks every rule that is not off. Warnings do not fail the command.
    pub(crate) fn run(self) -> Outcome {
        self.lint().map_or_else(|outcome| outcome, |()| Outcome::Fine)
    }

    fn lint(self) -> Result<(), Outcome> {
        let choices = self.choices();
        let setting = self.inputs.setting(self.report)?;
        let levels = levels(&setting, &choices, self.report)?;
        if self.list {
            print_rules(&levels);
            return Ok(());
        }
        let setting = setting.with_stdin(self.stdin_path)?;
        setting.compile(&setting.files()?, &levels).map(|_| ())
    }

    /// Returns the levels that the arguments set. Of several for one rule the strictest holds, except for `--level`, which comes
    /// last.
    fn choices(&self) -> Vec<(String, Level)> {
        let of =
            |names: &[String], level| names.iter().map(move |name| (name.clone(), level)).collect::<Vec<_>>();
        let named = [of(&self.allow, Level::Off), of(&self.warn, Level::Warn), of(&self.deny, Level::Deny)];
        named.into_iter().flatten().chain(self.level.iter().cloned()).collect()
    }
}

/// Returns the levels of the run: the defaults of the rules, overridden by the project, then by the arguments.
fn levels(setting: &Setting, choices: &[(String, Level)], report: Report) -> Result<Levels, Outcome> {
    let mut levels = setting.levels(Levels::of_lint());
    for (name, level) in choices.iter().filter(|(name, level)| !is_all_warnings(name, *level)) {
        let Some(rule) = rule(name) else { return Err(unknown(name, report)) };
        levels.set(rule, *level);
    }
    if choices.iter().any(|(name, level)| is_all_warnings(name, *level)) {
        let warned: Vec<&Rule> = rules().filter(|rule| levels.level(rule) == Level::Warn).collect();
        for rule in warned {
            levels.set(rule, Level::Deny);
        }
    }
    Ok(levels)
}

fn is_all_warnings(name: &str, level: Level) -> bool {
    name == "warnings" && level == Level::Deny
}

fn unknown(name: &str, report: Report) -> Outcome {
    let help = match nearest_rule(name) {
        Some(rule) => format!("did you mean `{}`?", rule.name()),
        None => "`zsvc lint --list` shows all rules".to_owned(),
    };
    report.error(&format!("there is no rule `{name}`"), &help);
    Outcome::Unusable
}

fn level(text: &str) -> Result<(String, Level), String> {
    let (name, level) = text.split_once('=').ok_or("write it as `missing-docs=deny`")?;
    let level = Level::named(level).ok_or("a level is `off`, `warn` or `deny`")?;
    Ok((name.to_owned(), level))
}

fn print_rules(levels: &Levels) {
    for rule in rules() {
        let level = levels.level(rule).name();
        anstream::println!("{}  {:<22} {level:<4}  {}", rule.code(), rule.name(), rule.code().title());
    }
}
