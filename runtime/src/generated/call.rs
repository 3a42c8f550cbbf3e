//! The functions by which generated clients make calls, given only the type of the method.
//!
//! Each function is compiled once per method, so each only passes on what the type declares; parameters go behind a
//! `&dyn Encode`, as in the functions that are called here.

use futures_core::Stream;

use super::{BidirectionalMethod, ClientStreamMethod, OneWayMethod, ServerStreamMethod, UnaryMethod};
use crate::call::{BidirectionalCall, ClientStreamCall, OneWayCall, ServerStreamCall, UnaryCall};
use crate::channel::Channel;

/// The functions that generated clients call.
#[doc(hidden)]
impl Channel {
    /// Returns a call that is answered once.
    pub fn call_unary<M: UnaryMethod>(&self, params: &M::Params) -> UnaryCall<M::Answer, M::Error> {
        self.unary::<M::AnswerForm, _, _>(M::METHOD, params)
    }

    /// Returns a call that is answered with a stream.
    pub fn call_server_stream<M: ServerStreamMethod>(
        &self,
        params: &M::Params,
    ) -> ServerStreamCall<M::Answer, M::Error> {
        self.server_stream::<M::AnswerForm, _, _>(M::METHOD, params)
    }

    /// Returns a call that sends a stream and is answered once.
    pub fn call_client_stream<M: ClientStreamMethod, S: Stream<Item = M::Item>>(
        &self,
        params: &M::Params,
        items: S,
    ) -> ClientStreamCall<S, M::Item, M::Answer, M::Error> {
        self.client_stream::<M::ItemForm, _, _, M::AnswerForm, _, _>(M::METHOD, params, items)
    }

    /// Returns a call that sends a stream and is answered with one.
    pub fn call_bidirectional<M: BidirectionalMethod>(
        &self,
        params: &M::Params,
    ) -> BidirectionalCall<M::Item, M::Answer, M::Error> {
        self.bidirectional::<M::ItemForm, _, M::AnswerForm, _, _>(M::METHOD, params)
    }

    /// Returns a one-way call.
    pub fn call_one_way<M: OneWayMethod>(&self, params: &M::Params) -> OneWayCall {
        self.one_way(M::METHOD, params)
    }
}
