//! Runs what `cmd/*.trycmd` say: each file states its commands, their exit statuses and all that they print.
//!
//! What exactly a diagnostic says is `zsvc-idl`'s matter: here it is its code, its place, and that there is help.
//!
//! `TRYCMD=overwrite` blesses what has changed. A case that writes files has a folder `NAME.in` to start from and a
//! folder `NAME.out` for what has to be there in the end.

#[test]
fn commands() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
