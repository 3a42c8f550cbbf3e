//! Runs what `cmd/*.trycmd` say: each file states its commands, their exit statuses and all that they print.
//!
//! `TRYCMD=overwrite` blesses what has changed. A case that writes files has a folder `NAME.in` to start from and a
//! folder `NAME.out` for what has to be there in the end.

#[test]
fn commands() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
