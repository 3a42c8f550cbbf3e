//! What generated mocks are made of: a [`MockMethod`] per method, which is handled as a test says, and counts its calls.
//!
//! Not here: names, docs and the trait of a service; those are the generator's (`codegen/src/item/mock.rs`).

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::context::Context;
use crate::status::Status;

/// What a call of a mock comes to, in a while.
type Mocked<O> = Pin<Box<dyn Future<Output = O> + Send>>;

/// How a test handles a method: from the context and the arguments, as a tuple.
type Handler<A, O> = Arc<dyn Fn(&Context, A) -> Mocked<O> + Send + Sync>;

/// One method of a mock. Clones share the count.
pub struct MockMethod<A, O> {
    /// `None` as long as the test says nothing of it.
    handler: Option<Handler<A, O>>,
    calls: Arc<AtomicUsize>,
}

/// What a method comes to that a test says nothing of.
pub trait Unset {
    /// `setter` is what to call: `TapeMock::on_last`.
    fn unset(context: &Context, setter: &str) -> Self;
}

/// A one-way call is ignored.
impl Unset for () {
    fn unset(_: &Context, _: &str) -> Self {}
}

/// Any other is answered with [`Status::unimplemented`].
impl<T, E: From<Status>> Unset for Result<T, E> {
    fn unset(context: &Context, setter: &str) -> Self {
        let method = context.method().name();
        let status = Status::unimplemented(format!(
            "this mock has no handler of `{method}`: give it one by `{setter}`"
        ));
        Err(status.into())
    }
}

impl<A: Send + 'static, O: Unset + Send + 'static> MockMethod<A, O> {
    /// Has calls handled by a closure, in place of the one before.
    pub fn set<F, R>(&mut self, handler: F)
    where
        F: Fn(&Context, A) -> R + Send + Sync + 'static,
        R: Future<Output = O> + Send + 'static,
    {
        self.handler = Some(Arc::new(move |context, arguments| Box::pin(handler(context, arguments))));
    }

    /// Counts a call, and has it handled.
    pub fn call(&self, context: &Context, setter: &str, arguments: A) -> Mocked<O> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match &self.handler {
            Some(handler) => handler(context, arguments),
            None => Box::pin(std::future::ready(O::unset(context, setter))),
        }
    }
}

impl<A, O> MockMethod<A, O> {
    /// How many calls have reached it.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl<A, O> Default for MockMethod<A, O> {
    fn default() -> Self {
        Self { handler: None, calls: Arc::default() }
    }
}

impl<A, O> Clone for MockMethod<A, O> {
    fn clone(&self) -> Self {
        Self { handler: self.handler.clone(), calls: Arc::clone(&self.calls) }
    }
}

impl<A, O> fmt::Debug for MockMethod<A, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is_set, calls) = (self.handler.is_some(), self.calls());
        f.debug_struct("MockMethod").field("is_set", &is_set).field("calls", &calls).finish()
    }
}
