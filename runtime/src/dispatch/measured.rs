//! [`Measured`]: what is measured of one call, from before its handler begins until it ends. What that adds up to is in
//! [`crate::measure`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::incoming::Incoming;
use crate::flow::{InboundStream, OutboundStream};
use crate::measure::{Amounts, Collected, Failed, MethodMeasure, Sampler};
use crate::method::MethodKind;
use crate::session::server::Answer;
use crate::status::{Code, Failure, Status};

/// A client cancels a call at its deadline, up to this long before the server's own clock reaches it.
const CLOCK_DIFFERENCE: Duration = Duration::from_millis(10);

/// What is measured of one call. Every function is given what is known of the calls of all methods.
pub(super) struct Measured {
    /// Index of the method.
    method: usize,
    deadline: Option<Instant>,
    timing: Option<Timing>,
    inbound: Option<Arc<InboundStream>>,
    outbound: Option<Arc<OutboundStream>>,
}

/// The times of a call that is timed.
struct Timing {
    /// When the message was received that held the call.
    received: Instant,
    /// When the handler began.
    began: Option<Instant>,
    /// Number of calls that the times stand for.
    weight: u32,
}

impl Measured {
    /// Counts a call of a method, and decides whether it is timed. `None` if the server does not measure.
    #[inline]
    pub(super) fn new(
        methods: &[MethodMeasure],
        (collected, sampler): (&mut Collected, &mut Sampler),
        method: usize,
        call: &mut Incoming,
    ) -> Option<Self> {
        let first = &methods.get(method)?.first;
        collected.add(methods, method, call.params_len());
        let weight = sampler.draw(first);
        let timing = weight.map(|weight| Timing { received: call.received(), began: None, weight });
        let (mut inbound, mut outbound) = (None, None);
        if !matches!(call.method().kind(), MethodKind::Unary | MethodKind::OneWay) {
            call.open_streams();
            (inbound, outbound) = (call.streams().0.cloned(), call.streams().1.cloned());
        }
        Some(Self { method, deadline: call.deadline(), timing, inbound, outbound })
    }

    /// Reports whether it is to be told when the handler begins and ends.
    #[inline]
    pub(super) fn is_timed(&self) -> bool {
        self.timing.is_some()
    }

    /// Says when the handler has begun.
    #[inline]
    pub(super) fn began(&mut self, at: Option<Instant>) {
        if let Some(timing) = &mut self.timing {
            timing.began = at;
        }
    }

    /// Says that the handler goes on after its first poll, or on a thread of its own.
    pub(super) fn goes_on(self, methods: &[MethodMeasure]) -> Self {
        methods[self.method].goes_on();
        self
    }

    /// Says that the handler was done at once, after a time if it was timed.
    #[inline]
    pub(super) fn done(
        &self,
        methods: &[MethodMeasure],
        collected: &mut Collected,
        (answer, took): (&Answer, Option<Duration>),
    ) {
        collected.answered(answer_bytes(answer));
        self.note(&methods[self.method], failed(answer), took);
    }

    /// Says that the call was turned away where its handler would have begun.
    #[cold]
    pub(super) fn refused(&self, methods: &[MethodMeasure], why: &Status) {
        methods[self.method].fail(Failed::With(why.code()));
    }

    /// Says that a handler that [went on](Self::goes_on) has ended.
    pub(super) fn ended(&self, methods: &[MethodMeasure], answer: &Answer) {
        let bytes = answer_bytes(answer) as u64;
        self.end(&methods[self.method], failed(answer), bytes);
    }

    /// Says that such a call was turned away after all.
    pub(super) fn turned_away(&self, methods: &[MethodMeasure], why: &Status) {
        methods[self.method].ended();
        self.refused(methods, why);
    }

    /// Says that such a handler was dropped: by its deadline, or since its caller has gone or has cancelled it.
    pub(super) fn dropped(&self, methods: &[MethodMeasure]) {
        let is_late = self.deadline.is_some_and(|at| at <= Instant::now() + CLOCK_DIFFERENCE);
        let code = if is_late { Code::DeadlineExceeded } else { Code::Cancelled };
        self.end(&methods[self.method], Some(Failed::With(code)), 0);
    }

    fn end(&self, method: &MethodMeasure, failed: Option<Failed>, answer_bytes: u64) {
        method.ended();
        if answer_bytes > 0 {
            method.add(Amounts { answer_bytes, ..Amounts::default() });
        }
        let began = self.timing.as_ref().and_then(|timing| timing.began);
        let took = began.map(|began| began.elapsed());
        self.note(method, failed, took);
    }

    #[inline]
    fn note(&self, method: &MethodMeasure, failed: Option<Failed>, took: Option<Duration>) {
        if let Some(failed) = failed {
            method.fail(failed);
        }
        if let (Some(Timing { received, began: Some(began), weight }), Some(took)) = (&self.timing, took) {
            method.handler.record(took, *weight);
            method.queue.record(began.saturating_duration_since(*received), *weight);
        }
        if self.inbound.is_some() || self.outbound.is_some() {
            method.add(Amounts {
                calls: 0,
                request_bytes: self.inbound.as_ref().map_or(0, |stream| stream.received()),
                answer_bytes: self.outbound.as_ref().map_or(0, |stream| stream.sent()),
            });
        }
    }
}

#[inline]
fn answer_bytes(answer: &Answer) -> usize {
    match answer {
        Answer::Reply(reply) => reply.body_len(),
        Answer::Failure(Failure::Declared { body, .. }) => body.len(),
        Answer::Failure(Failure::Status(_)) | Answer::End => 0,
    }
}

#[inline]
fn failed(answer: &Answer) -> Option<Failed> {
    match answer {
        Answer::Failure(failure) => Some(Failed::of(failure)),
        Answer::Reply(_) | Answer::End => None,
    }
}
