//! The handler of all methods of a mock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zsvc::dynamic::{RawCall, RawError, RawHandling, RawService, RawValue};
use zsvc::reflection::{SchemaFile, ServiceSchema};
use zsvc::{Context, Sink, Status};
use zsvc_dynamic::find::{self, FoundMethod};
use zsvc_dynamic::subscription::subscribed;
use zsvc_dynamic::{Codec, Shape};
use zsvc_idl::bundle::{Bundle, Needs};
use zsvc_idl::schema::{MethodKind, Service};
use zsvc_idl::source::FileId;

use super::made_up;
use super::script::{Reaction, Rule, Script};
use crate::live::caller::of_schema;
use crate::live::known::Known;
use crate::live::output::Output;

/// Number of answers of a stream that are made up, and the pause between them.
const MADE_UP: usize = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// The pause between events that are made up, which never end.
const EVENTS_PAUSE: Duration = Duration::from_secs(1);

/// What a mock answers by.
pub(crate) struct Mock {
    /// Schemas live as long as the process, since handlers may.
    pub(crate) known: &'static Known,
    pub(crate) script: Script,
    /// Whether calls are printed.
    pub(crate) prints: bool,
    /// The methods of all services, by their full names.
    pub(crate) methods: HashMap<String, FoundMethod<'static>>,
}

impl Mock {
    pub(crate) fn new(known: &'static Known, script: Script, prints: bool) -> Self {
        let methods = find::methods(&known.schema).map(|method| (method.name.clone(), method)).collect();
        Self { known, script, prints, methods }
    }
}

/// Returns the services of a mock, each with all of its methods.
pub(crate) fn services(mock: &Arc<Mock>) -> impl Iterator<Item = RawService> {
    let carried = Carried::of(mock.known);
    find::services(&mock.known.schema).map(move |(name, service)| {
        let names = service.methods.iter().map(|method| format!("{name}/{}", method.name));
        let own = names.filter_map(|name| mock.methods.get(&name));
        let mock = Arc::clone(mock);
        let handler = move |call| -> RawHandling {
            let mock = Arc::clone(&mock);
            Box::pin(async move { mock.handle(call).await })
        };
        let methods = own.map(of_schema).collect();
        RawService::new(methods, handler).schema(carried.schema(&name, service))
    })
}

/// The files of a schema, by which a mock tells it as generated code does, for as long as the process lives.
struct Carried {
    files: &'static [SchemaFile],
    /// What the services of each file need.
    needs: &'static BTreeMap<FileId, Needs>,
}

impl Carried {
    fn of(known: &'static Known) -> Self {
        let bundle = Bundle::of(&known.schema, &known.sources);
        let leak = |text: &String| &*String::leak(text.clone());
        let files = bundle.files().iter().map(|file| SchemaFile::new(leak(&file.path), leak(&file.text)));
        let services = find::services(&known.schema);
        let needs = bundle.needs(services.map(|(_, service)| service.span.file));
        Self { files: Vec::leak(files.collect()), needs: Box::leak(Box::new(needs)) }
    }

    fn schema(&self, name: &str, service: &Service) -> &'static ServiceSchema {
        let needs = &self.needs[&service.span.file];
        let name = String::leak(name.to_owned());
        Box::leak(Box::new(ServiceSchema::new(name, self.files, &needs.files, needs.fingerprint)))
    }
}

impl Mock {
    async fn handle(&self, call: RawCall) -> Result<Option<RawValue>, RawError> {
        let RawCall { context, params, items, answers, .. } = call;
        let name = context.method().name();
        let method =
            self.methods.get(name).ok_or_else(|| Status::internal(format!("there is no `{name}`")))?;
        let codec = Codec::new(&self.known.schema);
        let shape = Shape::Parameters(&method.method.parameters);
        let shown = codec.decode(shape, &params.into_bytes());
        let shown = shown.map_err(|error| Status::invalid_argument(error.to_string()))?;
        // What is out of its bounds, a server refuses.
        codec.strict().encode(shape, &shown).map_err(|error| Status::invalid_argument(error.to_string()))?;
        self.print(&format!("{} {shown}", method.name));
        let params: Value = serde_json::from_str(&shown).unwrap_or_default();
        let rule = self.script.rule(&method.name, &params);
        let (mut items, is_both) = (items, answers.is_some());
        if let Some(items) = items.as_mut().filter(|_| !is_both) {
            while let Some(item) = items.next().await {
                self.print_item(method, item?);
            }
        }
        let answering = Answering { mock: self, context: &context, method, answers: answers.as_ref() };
        match (rule, items.filter(|_| is_both)) {
            (Some(rule), _) => answering.by(rule).await,
            // A conversation has an answer for each item.
            (None, Some(mut items)) => {
                while let Some(item) = items.next().await {
                    self.print_item(method, item?);
                    answering.made_up(1).await?;
                }
                Ok(None)
            }
            (None, None) if subscribed(&self.known.schema, method).is_some() => answering.published().await,
            (None, None) => answering.made_up(MADE_UP).await,
        }
    }

    fn print(&self, text: &str) {
        if self.prints {
            // Without a reader, it goes on.
            let _ = Output::new().line(text);
        }
    }

    fn print_item(&self, method: &FoundMethod<'_>, item: RawValue) {
        let (MethodKind::ClientStream(stream, _) | MethodKind::Bidirectional(stream, _)) =
            &method.method.kind
        else {
            return;
        };
        let shown = Codec::new(&self.known.schema).decode(Shape::Type(&stream.item), &item.into_bytes());
        let shown = shown.unwrap_or_else(|error| format!("an item that is none: {error}"));
        self.print(&format!("{} + {shown}", method.name));
    }
}

/// One call that is being answered.
struct Answering<'a> {
    mock: &'a Mock,
    context: &'a Context,
    method: &'a FoundMethod<'static>,
    answers: Option<&'a Sink<RawValue>>,
}

impl Answering<'_> {
    async fn by(&self, rule: &Rule) -> Result<Option<RawValue>, RawError> {
        tokio::time::sleep(rule.after).await;
        match &rule.reaction {
            Reaction::Error(body, message) => {
                let body = body.clone().into_bytes();
                Err(RawError::Declared { body, message: message.clone() })
            }
            Reaction::Status(code, message) => Err(Status::new(*code, message.clone()).into()),
            Reaction::Answers { answers, every, repeat } => {
                let Some(sink) = self.answers else { return Ok(answers.first().cloned()) };
                loop {
                    for answer in answers {
                        sink.send(answer.clone()).await?;
                        tokio::time::sleep(*every).await;
                    }
                    if !repeat {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Answers a subscription: with events that are made up, one after the other, until the client or the mock goes.
    async fn published(&self) -> Result<Option<RawValue>, RawError> {
        let (MethodKind::ServerStream(ty), Some(sink)) = (&self.method.method.kind, self.answers) else {
            return Ok(None);
        };
        let schema = &self.mock.known.schema;
        let encoded = |json: &Value| {
            let encoded = Codec::new(schema).encode(Shape::Type(ty), &json.to_string());
            encoded.map(|bytes| RawValue::new(bytes.into())).map_err(|error| {
                Status::unimplemented(format!("no event can be made up: {error}; give some by a script"))
            })
        };
        sink.send(encoded(&json!({ "Opened": 1 }))?).await?;
        sink.send(encoded(&json!({ "Live": 0 }))?).await?;
        let mut delivery = made_up::answer(schema, self.method.method);
        for sequence in 1_u64.. {
            delivery["Event"]["sequence"] = sequence.into();
            sink.send(encoded(&delivery)?).await?;
            tokio::time::sleep(EVENTS_PAUSE).await;
        }
        Ok(None)
    }

    /// Answers with what is made up: once, or this often where answers are a stream.
    async fn made_up(&self, times: usize) -> Result<Option<RawValue>, RawError> {
        let kind = &self.method.method.kind;
        let shape = match kind {
            MethodKind::Unary(Some(ty))
            | MethodKind::ServerStream(ty)
            | MethodKind::ClientStream(_, Some(ty))
            | MethodKind::Bidirectional(_, ty) => Shape::Type(ty),
            MethodKind::Unary(None) | MethodKind::ClientStream(_, None) | MethodKind::OneWay => {
                return Ok(None);
            }
        };
        let json = made_up::answer(&self.mock.known.schema, self.method.method).to_string();
        let encoded = Codec::new(&self.mock.known.schema).encode(shape, &json).map_err(|error| {
            let name = self.context.method().name();
            Status::unimplemented(format!(
                "no answer of `{name}` can be made up: {error}; give one by a script"
            ))
        })?;
        let answer = RawValue::new(encoded.into());
        let Some(sink) = self.answers else { return Ok(Some(answer)) };
        for time in 0..times {
            if time > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            sink.send(answer.clone()).await?;
        }
        Ok(None)
    }
}
