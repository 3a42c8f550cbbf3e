//! [`Script`]: which calls a mock answers how, as a file of JSON says. The contract is in docs/tool.md.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use zsvc::Code;
use zsvc::dynamic::RawValue;
use zsvc_dynamic::{Codec, Shape, duration};
use zsvc_idl::schema::MethodKind;

use crate::live::failure::Failure;
use crate::live::known::Known;

/// The rules of each method, by its full name.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: BTreeMap<String, Vec<Rule>>,
}

/// How calls are answered whose parameters have some values.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Names and values that the parameters must have.
    when: serde_json::Map<String, Value>,
    /// Time that passes first.
    pub(crate) after: Duration,
    pub(crate) reaction: Reaction,
}

/// What a rule does.
#[derive(Debug)]
pub(crate) enum Reaction {
    /// Answers, with a pause between two answers of a stream, and perhaps again and again.
    Answers {
        /// The answers, encoded.
        answers: Vec<RawValue>,
        every: Duration,
        repeat: bool,
    },
    /// Fails with an error that the method declares, encoded.
    Error(RawValue, String),
    /// Fails with a status.
    Status(Code, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    #[serde(default)]
    when: serde_json::Map<String, Value>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    answer: Option<Value>,
    #[serde(default)]
    answers: Option<Vec<Value>>,
    #[serde(default)]
    every: Option<String>,
    #[serde(default)]
    repeat: bool,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    status: Option<WrittenStatus>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStatus {
    code: String,
    #[serde(default)]
    message: String,
}

impl Script {
    /// Reads a script, and checks all of it against the schema.
    pub(crate) fn read(text: &str, known: &Known) -> Result<Self, Failure> {
        let written: BTreeMap<String, Vec<WrittenRule>> = serde_json::from_str(text).map_err(|error| {
            Failure::unusable(format!("the script is wrong: {error}")).help(
                "it is an object of methods, each with a list of rules: `{\"Tape/last\": [{\"answer\": …}]}`",
            )
        })?;
        let mut rules = BTreeMap::new();
        for (name, written) in written {
            let method = known.method(&name)?;
            let read = written.into_iter().enumerate().map(|(index, rule)| {
                let place = format!("rule {} of `{}`", index + 1, method.name);
                rule.read(known, &method, &place)
            });
            rules.insert(method.name.clone(), read.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(Self { rules })
    }

    /// Returns the first rule of a method that is for these parameters.
    pub(crate) fn rule(&self, method: &str, params: &Value) -> Option<&Rule> {
        let matches = |rule: &&Rule| rule.when.iter().all(|(name, value)| params.get(name) == Some(value));
        self.rules.get(method)?.iter().find(matches)
    }
}

impl WrittenRule {
    fn read(
        self,
        known: &Known,
        method: &zsvc_dynamic::find::FoundMethod<'_>,
        place: &str,
    ) -> Result<Rule, Failure> {
        let time = |text: &Option<String>| {
            let read = text.as_deref().map_or(Ok(Duration::ZERO), duration);
            read.map_err(|help| Failure::unusable(format!("{place} has a time that is none")).help(help))
        };
        let names = || method.method.parameters.iter().map(|field| field.name.as_str());
        if let Some(name) = self.when.keys().find(|name| !names().any(|known| known == *name)) {
            return Err(Failure::unusable(format!(
                "{place} is for a parameter `{}`, which there is not",
                name.escape_debug()
            )));
        }
        let (after, every) = (time(&self.after)?, time(&self.every)?);
        let codec = Codec::new(&known.schema).strict();
        let encode = |shape, value: &Value, what: &str| {
            let encoded = codec.encode(shape, &value.to_string());
            encoded
                .map(|bytes| RawValue::new(bytes.into()))
                .map_err(|error| Failure::of_argument(&format!("{place}, {what}"), &error))
        };
        let shape = answer_shape(&method.method.kind);
        let reaction = match (self.answer, self.answers, self.error, self.status) {
            (Some(answer), None, None, None) => {
                let answers = vec![encode(shape, &answer, "answer")?];
                Reaction::Answers { answers, every, repeat: self.repeat }
            }
            (None, Some(answers), None, None) => {
                let answers = answers.iter().map(|answer| encode(shape, answer, "answers"));
                Reaction::Answers { answers: answers.collect::<Result<_, _>>()?, every, repeat: self.repeat }
            }
            (None, None, Some(error), None) => {
                let body = encode(Shape::Errors(&method.method.throws), &error, "error")?;
                Reaction::Error(body, error.to_string())
            }
            (None, None, None, Some(status)) => Reaction::Status(code(&status.code, place)?, status.message),
            _ => {
                let failure = Failure::unusable(format!("{place} does not say one thing to do"));
                return Err(failure.help("it has one of `answer`, `answers`, `error` and `status`"));
            }
        };
        if let Reaction::Answers { answers, repeat: true, every } = &reaction
            && (answers.is_empty() || every.is_zero())
        {
            let failure = Failure::unusable(format!("{place} repeats without a pause"));
            return Err(failure.help("give `every`, such as `\"100ms\"`, and at least one answer"));
        }
        Ok(Rule { when: self.when, after, reaction })
    }
}

fn answer_shape(kind: &MethodKind) -> Shape<'_> {
    match kind {
        MethodKind::Unary(Some(ty))
        | MethodKind::ServerStream(ty)
        | MethodKind::ClientStream(_, Some(ty))
        | MethodKind::Bidirectional(_, ty) => Shape::Type(ty),
        MethodKind::Unary(None) | MethodKind::ClientStream(_, None) | MethodKind::OneWay => Shape::Nothing,
    }
}

fn code(name: &str, place: &str) -> Result<Code, Failure> {
    let all = || (1..=16).map(Code::from_number);
    all().find(|code| code.name() == name).ok_or_else(|| {
        let names: Vec<&str> = all().map(Code::name).collect();
        Failure::unusable(format!("{place} has the code `{}`, which is none", name.escape_debug()))
            .help(format!("codes are {}", names.join(", ")))
    })
}
