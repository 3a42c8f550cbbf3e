//! What `docs/router.md` shows of configuration files is read as it stands there.

use std::path::Path;

use zsvc_proto::wire::Registration;

#[test]
fn files_of_the_page_are_right() {
    let page = include_str!("../../../../../docs/router.md");
    let blocks: Vec<_> =
        page.split("```toml,router\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        if let Err(error) = zsvc_router::file::parse(Path::new("router.toml"), block) {
            panic!("{error}\n{block}");
        }
    }
}

#[test]
fn mistakes_are_told_as_on_the_page() {
    let page = include_str!("../../../../../docs/router.md");
    let told = zsvc_router::file::parse(Path::new("router.toml"), "lisen = []\ngrace = 10\n")
        .unwrap_err()
        .to_string();
    for line in told.lines().filter(|line| !line.contains("listens nowhere")) {
        assert!(page.contains(line), "the page does not have\n{line}");
    }
}

/// Returns the bytes of a listing of the protocol's page.
fn listing(page: &str, part: &str) -> Vec<u8> {
    let section = page.split(part).nth(1).and_then(|rest| rest.split("```text\n").nth(1)).unwrap_or_default();
    let lines = section.split("```").next().unwrap_or_default().lines();
    let digits: String = lines
        .filter_map(|line| line.split('#').next())
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits"))
        .collect()
}

#[test]
fn a_registration_is_written_as_the_protocol_says() {
    let page = include_str!("../../../../../docs/protocol.md");
    let registration = Registration {
        services: vec!["market.v1.Tape".to_owned()],
        capacity: 100,
        ..Registration::default()
    };
    assert_eq!(registration.to_batch(), listing(page, "## Registration\n"));
}
