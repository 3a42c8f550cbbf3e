//! The parts of generated mocks: a [`MockMethod`] per method, which runs the handler that a test has set, and counts calls.
//!
//! The names, docs and traits of mocks are written by the generator (`codegen/src/item/mock.rs`).

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::context::Context;
use crate::status::Status;

/// The future of a mocked call.
type Mocked<O> = Pin<Box<dyn Future<Output = O> + Send>>;

/// A test's handler of a method: takes the context, and the arguments as a tuple.
type Handler<A, O> = Arc<dyn Fn(&Context, A) -> Mocked<O> + Send + Sync>;

/// One method of a mock. Clones share the count.
pub struct MockMethod<A, O> {
    /// Handler of the calls; `None` until the test sets one.
    handler: Option<Handler<A, O>>,
    calls: Arc<AtomicUsize>,
}

/// The result of a method that has no handler.
pub trait Unset {
    /// Returns the result. `setter` names the function that sets a handler, for the message: `TapeMock::on_last`.
    fn unset(context: &Context, setter: &str) -> Self;
}

/// A one-way call is ignored.
impl Unset for () {
    fn unset(_: &Context, _: &str) -> Self {}
}

/// Any other call is answered with [`Status::unimplemented`].
impl<T, E: From<Status>> Unset for Result<T, E> {
    fn unset(context: &Context, setter: &str) -> Self {
        let method = context.method().name();
        let status = Status::unimplemented(format!(
            "this mock has no handler for `{method}`; set one with `{setter}`"
        ));
        Err(status.into())
    }
}

impl<A: Send + 'static, O: Unset + Send + 'static> MockMethod<A, O> {
    /// Sets the handler of the method's calls, in place of an earlier one.
    pub fn set<F, R>(&mut self, handler: F)
    where
        F: Fn(&Context, A) -> R + Send + Sync + 'static,
        R: Future<Output = O> + Send + 'static,
    {
        self.handler = Some(Arc::new(move |context, arguments| Box::pin(handler(context, arguments))));
    }

    /// Counts a call, and returns the future that handles it.
    pub fn call(&self, context: &Context, setter: &str, arguments: A) -> Mocked<O> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match &self.handler {
            Some(handler) => handler(context, arguments),
            None => Box::pin(std::future::ready(O::unset(context, setter))),
        }
    }
}

impl<A, O> MockMethod<A, O> {
    /// Returns the number of calls so far.
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
