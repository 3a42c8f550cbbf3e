//! `zsvc call METHOD [JSON | NAME=VALUE…]`

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use serde_json::value::RawValue;
use zsvc_dynamic::find::FoundMethod;
use zsvc_dynamic::subscription::{key_value, published, subscribed};
use zsvc_dynamic::{Codec, argument, duration};
use zsvc_idl::schema::{MethodKind, Schema};
use zsvc_idl::suggest::nearest;

use super::Outcome;
use crate::live::caller::Caller;
use crate::live::failure::Failure;
use crate::live::items::{Lines, read_all};
use crate::live::known::{Known, SchemaFiles};
use crate::live::output::Output;
use crate::live::reflection::Reflection;
use crate::live::run::{Stop, run};
use crate::live::target::{Connected, Target};

/// The arguments of `call`.
#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The method: `market.v1.Tape/last`, or an end of that which is of one method alone, such as `last`.
    #[arg(value_name = "METHOD")]
    method: String,
    #[command(flatten)]
    params: Parameters,
    /// The items of the method's stream, a line of JSON each: a file, or `-` for standard input, which is the default.
    #[arg(long, value_name = "FILE")]
    items: Option<String>,
    /// How long the call may take, in place of the method's own deadline: `500ms`, `2s`.
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    deadline: Option<Duration>,
    /// A name and a value that travel beside the parameters; may be given several times.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// Prints answers on several lines, as on a terminal those that come alone.
    #[arg(long)]
    pretty: bool,
    /// Prints integers past ±(2^53 - 1) as strings.
    #[arg(long)]
    safe_integers: bool,
    #[command(flatten)]
    schema: SchemaFiles,
    #[command(flatten)]
    target: Target,
}

/// The parameters of a call.
#[derive(Debug, Args)]
pub(crate) struct Parameters {
    /// The parameters: an object of JSON, `@FILE` for one in a file, `-` for one on standard input; or each by itself, as
    /// `NAME=VALUE`.
    #[arg(value_name = "PARAMETERS")]
    given: Vec<String>,
    /// What was read of a file, or of standard input, which can be read once.
    #[arg(skip)]
    read: OnceCell<String>,
}

/// Reads a name and a value.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as `NAME=VALUE`".to_owned()),
    }
}

impl Call {
    /// Makes the call and prints its answers.
    pub(crate) fn run(self) -> Outcome {
        run(self.target.json, self.call())
    }

    async fn call(&self) -> Result<(), Stop> {
        let files = self.schema.read()?.map(Known::with_publications);
        // What can be found wrong without a server is told without one.
        if let Some(known) = &files {
            self.prepared(known, &self.method)?;
        }
        self.target.with_server(async |connected| self.over(connected, files).await).await
    }

    async fn over(&self, connected: &Connected, files: Option<Known>) -> Result<(), Stop> {
        let (known, name) = match files {
            Some(known) => (known, self.method.clone()),
            None => Known::of_method(&Reflection::new(&connected.channel), &self.method).await?,
        };
        let (method, params) = self.prepared(&known, &name)?;
        let takes_items =
            matches!(method.method.kind, MethodKind::ClientStream(..) | MethodKind::Bidirectional(..));
        let items = if takes_items { Some(Lines::open(self.items.as_deref().unwrap_or("-"))?) } else { None };
        let output = Output::new();
        let is_stream =
            matches!(method.method.kind, MethodKind::ServerStream(_) | MethodKind::Bidirectional(..));
        let codec = self.codec(&known.schema, !is_stream && output.is_terminal());
        let caller = Caller::new(&connected.channel, &known.schema).codec(codec);
        let caller = caller.deadline(self.deadline).metadata(self.metadata.clone());
        caller.make(&method, &params, items, output).await
    }

    fn codec<'s>(&self, schema: &'s Schema, for_people: bool) -> Codec<'s> {
        let codec = Codec::new(schema);
        let codec = if self.pretty || for_people && !self.target.json { codec.pretty() } else { codec };
        if self.safe_integers { codec.safe_integers() } else { codec }
    }

    /// Finds the method, and returns its parameters as JSON.
    fn prepared<'k>(&'k self, known: &'k Known, name: &str) -> Result<(FoundMethod<'k>, Cow<'k, str>), Stop> {
        let method = known.method(name)?;
        let takes_items =
            matches!(method.method.kind, MethodKind::ClientStream(..) | MethodKind::Bidirectional(..));
        if !takes_items && self.items.is_some() {
            return Err(Failure::unusable(format!(
                "`{}` takes no stream, and `--items` is given",
                method.name
            ))
            .into());
        }
        if takes_items && self.params.are_standard_input() && self.items.as_deref().unwrap_or("-") == "-" {
            let failure =
                Failure::unusable("standard input can't be both the parameters and the items of the stream");
            return Err(failure
                .help("give the parameters as an argument, or the items by `--items FILE`")
                .into());
        }
        let params = self.params.json(known, &method)?;
        Codec::new(&known.schema)
            .strict()
            .encode(zsvc_dynamic::Shape::Parameters(&method.method.parameters), &params)
            .map_err(|error| self.params.wrong(&error).note("takes", signature(known, &method)))?;
        Ok((method, params))
    }
}

impl Parameters {
    /// Returns what is told of parameters that are wrong. Where they were given each by itself, there is no text to name a place in.
    pub(crate) fn wrong(&self, error: &zsvc_dynamic::Error) -> Failure {
        let is_text = self.given.first().is_some_and(|first| first == "-" || first.starts_with(['@', '{']));
        if is_text {
            Failure::of_value("the parameters", error)
        } else {
            Failure::of_argument("the parameters", error)
        }
    }

    /// Returns whether standard input is to be read for them.
    pub(crate) fn are_standard_input(&self) -> bool {
        self.given == ["-"]
    }

    /// Returns the parameters as one text of JSON.
    pub(crate) fn json(&self, known: &Known, method: &FoundMethod<'_>) -> Result<Cow<'_, str>, Failure> {
        match &self.given[..] {
            [] if published(&known.schema, method).is_none() => Ok("{}".into()),
            [one] if one == "-" => self.read("-"),
            [one] if one.starts_with('@') => self.read(&one[1..]),
            [one] if one.trim_start().starts_with('{') => Ok(one.into()),
            several if published(&known.schema, method).is_some() => {
                event_by_name(&known.schema, method, several).map(Cow::Owned)
            }
            several => by_name(&known.schema, method, several).map(Cow::Owned),
        }
    }

    fn read(&self, path: &str) -> Result<Cow<'_, str>, Failure> {
        if let Some(text) = self.read.get() {
            return Ok(text.into());
        }
        let text = read_all(path)?;
        Ok(self.read.get_or_init(|| text).into())
    }
}

/// Returns an object of parameters that are given each by itself.
fn by_name(schema: &Schema, method: &FoundMethod<'_>, given: &[String]) -> Result<String, Failure> {
    let parameters = &method.method.parameters;
    let event = subscribed(schema, method);
    let keys = || event.iter().flat_map(|event| event.keys());
    let names = || keys().chain(parameters).map(|field| field.name.as_str());
    let (mut entries, mut filter) = (Vec::new(), BTreeMap::<&str, Vec<String>>::new());
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            let message = format!("`{}` is neither an object of JSON nor `NAME=VALUE`", text.escape_debug());
            let example = names().next().map_or("{}".to_owned(), |name| format!("{name}=…"));
            return Err(Failure::unusable(message).help(format!("write `{example}`")));
        };
        if let Some(key) = event.and_then(|event| event.keys().find(|key| key.name == name)) {
            let value = key_value(schema, key, value)
                .map_err(|error| Failure::of_argument(&format!("the key `{name}`"), &error))?;
            filter.entry(name).or_default().push(value);
            continue;
        }
        let Some(field) = parameters.iter().find(|field| field.name == name) else {
            let failure =
                Failure::unusable(format!("`{}` has no parameter `{}`", method.name, name.escape_debug()));
            return Err(match nearest(name, names()) {
                Some(nearest) => failure.help(format!("did you mean `{nearest}`?")),
                None if parameters.is_empty() => failure.help("it takes none"),
                None => failure.help(format!(
                    "there are {}",
                    names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                )),
            });
        };
        let json = argument(schema, &field.ty, value);
        // JSON is what `argument` returns.
        let json = RawValue::from_string(json).map_err(|error| Failure::unusable(error.to_string()))?;
        entries.push(format!("{}:{}", Value::from(name), json.get()));
    }
    if !filter.is_empty() {
        let keys =
            filter.iter().map(|(name, values)| format!("{}:[{}]", Value::from(*name), values.join(",")));
        entries.push(format!("\"filter\":{{{}}}", keys.collect::<Vec<_>>().join(",")));
    }
    Ok(format!("{{{}}}", entries.join(",")))
}

/// Returns an object of parameters with an event whose fields are given each by itself.
fn event_by_name(schema: &Schema, method: &FoundMethod<'_>, given: &[String]) -> Result<String, Failure> {
    let fields = published(schema, method).map_or(&[][..], |event| &event.fields);
    let mut entries = Vec::new();
    for text in given {
        let names = || fields.iter().map(|field| field.name.as_str());
        let found = text.split_once('=').and_then(|(name, value)| {
            let field = fields.iter().find(|field| field.name == name)?;
            Some((name, argument(schema, &field.ty, value)))
        });
        let Some((name, json)) = found else {
            let name = text.split_once('=').map_or(text.as_str(), |(name, _)| name);
            let failure = Failure::unusable(format!("the event has no field `{}`", name.escape_debug()));
            return Err(match nearest(name, names()) {
                Some(nearest) => failure.help(format!("did you mean `{nearest}`?")),
                None => failure
                    .help("write `NAME=VALUE` for each field, or an object of JSON: `{\"event\": {…}}`"),
            });
        };
        // JSON is what `argument` returns.
        let json = RawValue::from_string(json).map_err(|error| Failure::unusable(error.to_string()))?;
        entries.push(format!("{}:{}", Value::from(name), json.get()));
    }
    Ok(format!("{{\"event\":{{{}}}}}", entries.join(",")))
}

/// Returns the line of a schema that declares a method.
fn signature(known: &Known, method: &FoundMethod<'_>) -> String {
    let span = method.method.span;
    let text = known.sources.file(span.file).text();
    let extent = zsvc_idl::analysis::Extents::of(text).at(span.start as usize);
    text[extent.code].split_whitespace().collect::<Vec<_>>().join(" ")
}
