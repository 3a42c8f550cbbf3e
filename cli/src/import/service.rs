//! A service and its methods.

use protox::prost_reflect::prost_types::{MethodDescriptorProto, ServiceDescriptorProto};

use super::file::{File, Part, places};
use super::index::prefix;
use super::names::{self, Scope};

/// Tags of the parts of a service, and of a method.
mod tag {
    pub(super) const NAME: i32 = 1;
    pub(super) const METHOD: i32 = 2;
    pub(super) const OPTIONS: i32 = 3;
    pub(super) const METHOD_OPTIONS: i32 = 4;
}

/// The message of nothing: a method without parameters takes it, and one without an answer returns it.
pub(crate) const EMPTY: &str = ".google.protobuf.Empty";

impl File<'_> {
    pub(crate) fn service(
        &mut self,
        resolved: &ServiceDescriptorProto,
        written: &ServiceDescriptorProto,
        part: &Part,
    ) {
        let options = written.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        let (body, said) = self.head_of(part, tag::NAME, tag::OPTIONS, options);
        self.deprecated(said);
        let full = format!("{}.{}", prefix(&self.source.resolved), resolved.name());
        self.draft.line(&format!("service {} {{", self.index.service(&full)));
        let parts =
            self.parts(places(&[&part.path[..], &[tag::METHOD]].concat(), resolved.method.len()), body);
        let mut scope = Scope::default();
        for inner in &parts {
            let at = inner.path.last().and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
            let name = scope.add(&names::snake(resolved.method[at].name()));
            self.method(&name, &resolved.method[at], &written.method[at], inner);
        }
        self.rest(&parts, body, part.span.end);
        self.draft.line("}");
    }

    fn method(
        &mut self,
        name: &str,
        resolved: &MethodDescriptorProto,
        written: &MethodDescriptorProto,
        part: &Part,
    ) {
        let above = self.comments.above(part.from, part.span.start);
        self.draft.detached(&above);
        let options = written.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        let said = self.options(&[&part.path[..], &[tag::METHOD_OPTIONS]].concat(), options);
        let inside = self.comments.inside(part.span.clone());
        self.draft.comment(&inside);
        self.draft.docs(&above.docs);
        self.draft.docs(&part.behind);
        self.deprecated(said);
        if said.idempotent {
            self.draft.line("@idempotent");
        }
        let parameters = match (resolved.input_type(), resolved.client_streaming()) {
            (EMPTY, false) => String::new(),
            (ty, false) => format!("request: {}", self.named(ty, part.span.start)),
            (ty, true) => format!("requests: stream {}", self.named(ty, part.span.start)),
        };
        let answer = match (resolved.output_type(), resolved.server_streaming()) {
            (EMPTY, false) => String::new(),
            (ty, false) => format!(" -> {}", self.named(ty, part.span.start)),
            (ty, true) => format!(" -> stream {}", self.named(ty, part.span.start)),
        };
        self.draft.line(&format!("rpc {name}({parameters}){answer};"));
    }
}
