//! The rules.
use crate::diagnostic::Report;
use crate::resolve::Model;
pub(crate) fn check(_model: &Model, _report: &mut Report) {}
