//! Checks that the examples of the repository compile without any diagnostic.

mod support;

use support::{Folder, rendered};
use zsvc_idl::compile;

#[test]
fn the_tape_has_nothing_to_complain_about() {
    let folder = Folder::of_repository("examples/tape/svc");
    let compilation = compile(&folder, &["tape.svc".to_owned()], &[]);
    assert_eq!(rendered(&compilation), "");
    let schema = compilation.schema.expect("a schema, since there are no errors");
    let packages: Vec<String> = schema.packages.iter().map(zsvc_idl::schema::Package::full_name).collect();
    assert_eq!(packages, ["market.v1", "money.v1"]);
    assert_eq!(schema.packages[0].services[0].methods.len(), 7);
}
