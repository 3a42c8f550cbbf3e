//! Properties of every input. Fuzzing looks for counterexamples, and a test replays those that were found.

use zsvc_codegen::{Options, Placement, generate};
use zsvc_idl::compile;

use super::files::files;

/// Checks that Rust generated for a schema can be parsed; that it compiles is tested elsewhere.
pub(crate) fn generates(bytes: &[u8]) {
    let compilation = compile(&files("input.svc", bytes), &["input.svc".to_owned()], &[]);
    let Some(schema) = compilation.schema else { return };
    let choices = Options::default().resolve(&schema).expect("none is chosen, which fits every schema");
    for placement in [Placement::Included, Placement::Module] {
        let text = generate(&schema, &choices, &compilation.sources, placement);
        assert!(syn::parse_file(&text).is_ok(), "this is no Rust:\n{text}");
    }
}
