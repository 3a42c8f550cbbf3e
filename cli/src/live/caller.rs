//! [`Caller`]: calls by schema: parameters, items and answers are JSON.

use std::time::Duration;

use zsvc::dynamic::{self, RawError, RawValue};
use zsvc::{Channel, Code, Method, MethodKind as Kind, Sink, Status, Streaming};
use zsvc_dynamic::find::FoundMethod;
use zsvc_dynamic::{Codec, Error, Shape};
use zsvc_idl::schema::{self, MethodKind, Schema, Type};

use super::failure::Failure;
use super::items::{Lines, Received};
use super::output::Output;
use super::run::Stop;
use crate::command::Outcome;

/// Makes calls over a channel by a schema.
#[derive(Clone)]
pub(crate) struct Caller<'s> {
    channel: &'s Channel,
    codec: Codec<'s>,
    deadline: Option<Duration>,
    metadata: Vec<(String, String)>,
}

/// How a call failed.
#[derive(Debug)]
pub(crate) enum CallFailure {
    /// Before it was made, or in a form that can't be read.
    Own(Failure),
    Status(Status),
    /// An error that the method declares, as JSON, and its text.
    Declared(String, String),
}

impl CallFailure {
    /// Returns the code of a failure that has one.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::Status(status) => Some(status.code()),
            _ => None,
        }
    }

    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Self::Own(failure) => failure,
            Self::Status(status) => Failure::of_status(&status),
            Self::Declared(error, message) => Failure::declared(&message, &error),
        }
    }
}

impl From<CallFailure> for Stop {
    fn from(failure: CallFailure) -> Self {
        failure.into_failure().into()
    }
}

/// Sets the options of a call of any kind.
macro_rules! with_options {
    ($caller:expr, $call:expr) => {{
        let mut call = $call;
        if let Some(deadline) = $caller.deadline {
            call = call.deadline(deadline);
        }
        for (name, value) in &$caller.metadata {
            call = call.metadata(name.as_str(), value.as_str());
        }
        call
    }};
}

impl<'s> Caller<'s> {
    pub(crate) fn new(channel: &'s Channel, schema: &'s Schema) -> Self {
        Self { channel, codec: Codec::new(schema), deadline: None, metadata: Vec::new() }
    }

    /// Sets the deadline, in place of that of the method.
    pub(crate) fn deadline(self, deadline: Option<Duration>) -> Self {
        Self { deadline, ..self }
    }

    pub(crate) fn metadata(self, metadata: Vec<(String, String)>) -> Self {
        Self { metadata, ..self }
    }

    pub(crate) fn codec(self, codec: Codec<'s>) -> Self {
        Self { codec, ..self }
    }

    /// Returns the parameters of a call from JSON, which people have written.
    pub(crate) fn params(&self, method: &FoundMethod<'s>, json: &str) -> Result<RawValue, Error> {
        let shape = Shape::Parameters(&method.method.parameters);
        self.codec.strict().encode(shape, json).map(|bytes| RawValue::new(bytes.into()))
    }

    fn checked(&self, method: &FoundMethod<'s>, json: &str) -> Result<RawValue, CallFailure> {
        self.params(method, json)
            .map_err(|error| CallFailure::Own(Failure::of_value("the parameters", &error)))
    }

    fn shown(&self, shape: Shape<'s>, value: RawValue) -> Result<String, CallFailure> {
        self.codec.decode(shape, &value.into_bytes()).map_err(|error| {
            let message = format!("the server's answer is not what the schema says: {error}");
            let failure = Failure::new(Outcome::Failed, message);
            CallFailure::Own(failure.help("is this the schema of that server? `zsvc diff` compares two"))
        })
    }

    fn failed(&self, method: &FoundMethod<'s>, error: RawError) -> CallFailure {
        match error {
            RawError::Status(status) => CallFailure::Status(status),
            RawError::Declared { body, message } => {
                match self.codec.decode(Shape::Errors(&method.method.throws), &body) {
                    Ok(error) => CallFailure::Declared(error, message),
                    // Its text says more than nothing.
                    Err(_) => CallFailure::Declared("null".to_owned(), message),
                }
            }
        }
    }

    /// Makes a call that is answered once, and returns the answer.
    pub(crate) async fn unary(&self, method: &FoundMethod<'s>, params: &str) -> Result<String, CallFailure> {
        let params = self.checked(method, params)?;
        self.unary_of(method, &params).await
    }

    /// Makes a call that is answered once, with parameters that were read before.
    pub(crate) async fn unary_of(
        &self,
        method: &FoundMethod<'s>,
        params: &RawValue,
    ) -> Result<String, CallFailure> {
        let call = dynamic::unary(self.channel, of_schema(method), params);
        let answer = with_options!(self, call).await.map_err(|error| self.failed(method, error))?;
        self.shown(answer_of(method.method), answer)
    }

    /// Makes a call that is answered with a stream.
    pub(crate) async fn server_stream(
        &self,
        method: &FoundMethod<'s>,
        params: &str,
    ) -> Result<Answers<'_, 's>, CallFailure> {
        let params = self.checked(method, params)?;
        let call = dynamic::server_stream(self.channel, of_schema(method), &params);
        let answers = with_options!(self, call).await.map_err(|error| self.failed(method, error))?;
        Ok(Answers { caller: self, method: method.clone(), stream: answers })
    }

    /// Makes a call of any kind. Its answers are written as they come, and the items of its stream are read as there is room for them.
    pub(crate) async fn make(
        &self,
        method: &FoundMethod<'s>,
        params: &str,
        items: Option<Lines>,
        output: Output,
    ) -> Result<(), Stop> {
        let params = self.checked(method, params)?;
        match (&method.method.kind, items) {
            (MethodKind::Unary(_), _) => {
                let answer = self.unary_of(method, &params).await?;
                output.line(&answer)?;
            }
            (MethodKind::OneWay, _) => {
                let call = dynamic::one_way(self.channel, of_schema(method), &params);
                with_options!(self, call).await.map_err(CallFailure::Status)?;
            }
            (MethodKind::ServerStream(_), _) => {
                let call = dynamic::server_stream(self.channel, of_schema(method), &params);
                let answers = with_options!(self, call).await.map_err(|error| self.failed(method, error))?;
                let answers = Answers { caller: self, method: method.clone(), stream: answers };
                answers.print(output).await?;
            }
            (MethodKind::ClientStream(stream, _), Some(items)) => {
                self.upload(method, &params, &stream.item, items, output).await?;
            }
            (MethodKind::Bidirectional(stream, _), Some(items)) => {
                let call = dynamic::bidirectional(self.channel, of_schema(method), &params);
                let opened = with_options!(self, call).await;
                let (sink, answers) = opened.map_err(|error| self.failed(method, error))?;
                let answers = Answers { caller: self, method: method.clone(), stream: answers };
                self.converse(sink, answers, &stream.item, items, output).await?;
            }
            (_, None) => return Err(Failure::unusable("the method takes a stream, and none is given").into()),
        }
        Ok(())
    }

    /// Sends items, and writes the answer. An item that is wrong cancels the call.
    async fn upload(
        &self,
        method: &FoundMethod<'s>,
        params: &RawValue,
        item: &'s Type,
        mut items: Lines,
        output: Output,
    ) -> Result<(), Stop> {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let call = dynamic::client_stream(self.channel, of_schema(method), params, Received(receiver));
        let mut call = std::pin::pin!(with_options!(self, call));
        let feed = async {
            while let Some(line) = items.next().await {
                // The call takes no more items once it is over.
                if sender.send(self.item(item, line?)?).await.is_err() {
                    break;
                }
            }
            drop(sender);
            Ok::<(), Failure>(())
        };
        let answer = tokio::select! {
            biased;
            answer = &mut call => answer,
            sent = feed => {
                sent?;
                call.await
            }
        };
        let answer = answer.map_err(|error| self.failed(method, error))?;
        output.line(&self.shown(answer_of(method.method), answer)?)?;
        Ok(())
    }

    /// Sends items and writes answers at the same time. The call is over once the answers have ended.
    async fn converse(
        &self,
        sink: Sink<RawValue>,
        answers: Answers<'_, 's>,
        item: &'s Type,
        mut items: Lines,
        output: Output,
    ) -> Result<(), Stop> {
        let feed = async {
            while let Some(line) = items.next().await {
                // What ended the call is told by its answers.
                if sink.send(self.item(item, line?)?).await.is_err() {
                    return Ok::<(), Failure>(());
                }
            }
            sink.finish();
            Ok(())
        };
        let mut print = std::pin::pin!(answers.print(output));
        tokio::select! {
            biased;
            printed = &mut print => printed,
            sent = feed => {
                sent?;
                print.await
            }
        }
    }

    /// Reads an item of the client's stream.
    pub(crate) fn item(&self, ty: &Type, (line, text): (usize, String)) -> Result<RawValue, Failure> {
        let bytes = self.codec.strict().encode(Shape::Type(ty), &text);
        let bytes = bytes.map_err(|error| Failure::of_value(&format!("item on line {line}"), &error))?;
        Ok(RawValue::new(bytes.into()))
    }
}

/// The answers of a call, as JSON.
pub(crate) struct Answers<'a, 's> {
    caller: &'a Caller<'s>,
    method: FoundMethod<'s>,
    stream: Streaming<RawValue, RawError>,
}

impl Answers<'_, '_> {
    /// Returns the next answer; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<String, CallFailure>> {
        let answer = self.stream.next().await?;
        Some(match answer {
            Ok(answer) => self.caller.shown(answer_of(self.method.method), answer),
            Err(error) => Err(self.caller.failed(&self.method, error)),
        })
    }

    /// Writes all answers, a line each.
    async fn print(mut self, output: Output) -> Result<(), Stop> {
        while let Some(answer) = self.next().await {
            output.line(&answer?)?;
        }
        Ok(())
    }
}

/// Returns what the answers of a method are.
fn answer_of(method: &schema::Method) -> Shape<'_> {
    match &method.kind {
        MethodKind::Unary(Some(ty))
        | MethodKind::ServerStream(ty)
        | MethodKind::ClientStream(_, Some(ty))
        | MethodKind::Bidirectional(_, ty) => Shape::Type(ty),
        MethodKind::Unary(None) | MethodKind::ClientStream(_, None) | MethodKind::OneWay => Shape::Nothing,
    }
}

/// Returns how the runtime knows a method of a schema.
pub(crate) fn of_schema(found: &FoundMethod<'_>) -> &'static Method {
    let kind = match &found.method.kind {
        MethodKind::Unary(_) => Kind::Unary,
        MethodKind::ServerStream(_) => Kind::ServerStream,
        MethodKind::ClientStream(..) => Kind::ClientStream,
        MethodKind::Bidirectional(..) => Kind::Bidirectional,
        MethodKind::OneWay => Kind::OneWay,
    };
    dynamic::method(&found.name, kind, found.method.deadline, found.method.idempotent)
}
