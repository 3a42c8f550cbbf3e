//! Runs the commands of `cmd/*.trycmd`: each file states its commands, their exit statuses and all that they print.
//!
//! Texts of diagnostics are tested in `zsvc-idl`: here only code, place, and that there is help.
//!
//! `TRYCMD=overwrite` accepts changes. A case that writes files has a folder `NAME.in` to start from and a
//! folder `NAME.out` with the expected files.

#[test]
fn commands() {
    let cases = trycmd::TestCases::new();
    cases.case("tests/cmd/*.trycmd");
    if !cfg!(feature = "import") {
        cases.skip("tests/cmd/import.trycmd");
    }
}
