//! What is said of names by the answers of workers.

use super::*;

fn named(scope: &str, holder: Holder) -> Named {
    Named::of(&Scope::read(scope).unwrap(), String::new(), holder, (3, 5)).expect("it can be asked for")
}

fn findings(named: Vec<Named>) -> Findings {
    let findings = Findings::default();
    findings.set(Names { path: "router.toml".into(), named });
    findings
}

fn answer(services: &[(&str, &[&str])]) -> Answer {
    let one = |(name, methods): &(&str, &[&str])| {
        ((*name).to_owned(), methods.iter().map(|method| (*method).to_owned()).collect())
    };
    services.iter().map(one).collect()
}

/// Has a worker answer of which the router knows one service.
fn says(findings: &Findings, (name, realm): (&str, &str), services: &[(&str, &[&str])]) -> Vec<String> {
    let known = ["a.B".to_owned()];
    let witness = Witness { name, realm, services: &known };
    let found = findings.judge(findings.version(), witness, &answer(services));
    found.iter().map(|wrong| format!("{}; {}", wrong.message(), wrong.help())).collect()
}

#[test]
fn a_method_that_no_worker_has_is_told_once_with_the_nearest_one() {
    let findings = findings(vec![named("a.B/lasst", Holder::Unsaid), named("a.B/all", Holder::Unsaid)]);
    let told = "`a.B` has no method `lasst` at the worker `w`; did you mean `a.B/last`?";
    assert_eq!(says(&findings, ("w", ""), &[("a.B", &["last", "all"])]), [told]);
    assert_eq!(says(&findings, ("w", ""), &[("a.B", &["last", "all"])]), [""; 0]);
    let (path, mistakes) = findings.mistakes();
    assert_eq!((path, mistakes.len()), ("router.toml".into(), 1));
    assert_eq!(findings.place_of(&mistakes[0]), "router.toml:3:5");
}

#[test]
fn one_worker_that_has_it_is_enough() {
    for workers in [["old", "new"], ["new", "old"]] {
        let findings = findings(vec![named("a.B/m", Holder::Unsaid)]);
        for worker in workers {
            let methods: &[&str] = if worker == "new" { &["m"] } else { &["other"] };
            says(&findings, (worker, ""), &[("a.B", methods)]);
        }
        assert_eq!(findings.mistakes().1, [], "{workers:?}");
        assert!(findings.open_services().is_empty(), "none is asked any more");
    }
}

#[test]
fn a_worker_says_nothing_of_what_is_not_its_own() {
    let findings = findings(vec![named("a.B/m", Holder::Unsaid), named("c.D/m", Holder::Unsaid)]);
    assert_eq!(says(&findings, ("w", "eu"), &[("a.B", &["x"])]), [""; 0], "of another realm");
    assert_eq!(says(&findings, ("w", ""), &[("c.D", &["x"])]), [""; 0], "the router gives it no calls of it");
}

#[test]
fn a_worker_is_held_to_the_services_that_it_is_said_to_have() {
    let named = || vec![named("a.B", Holder::Worker("w".to_owned())), named("a.B/subscribe", Holder::Unsaid)];
    let told = "the worker `w` has no service `a.B`; did you mean `a.Be`?";
    let all = findings(named());
    assert_eq!(says(&all, ("other", ""), &[("a.Be", &[])]), [""; 0]);
    assert_eq!(says(&all, ("w", ""), &[("a.Be", &[])]), [told]);
    let all = findings(named());
    let told = "`a.B` is no event at the worker `w`; write the name as in the schema of the worker";
    assert_eq!(says(&all, ("w", ""), &[("a.B", &["m"])]), [told]);
}

#[test]
fn what_can_not_be_known_of_workers_is_not_asked_for() {
    let of = |scope: &str, holder: Holder| {
        Named::of(&Scope::read(scope).unwrap(), String::new(), holder, (1, 1)).is_some()
    };
    for scope in ["*", "a.*", "a.B", "zsvc.health.v1.Health/check"] {
        assert!(!of(scope, Holder::Unsaid), "{scope}");
    }
    assert!(of("a.B", Holder::Any) && of("a.B/m", Holder::Unsaid));
}

#[test]
fn an_answer_for_other_names_counts_no_more() {
    let findings = findings(vec![named("a.B/m", Holder::Unsaid)]);
    let before = findings.version();
    findings.set(Names { path: "other.toml".into(), named: vec![named("a.B/n", Holder::Unsaid)] });
    let witness = Witness { name: "w", realm: "", services: &["a.B".to_owned()] };
    assert_eq!(findings.judge(before, witness, &answer(&[("a.B", &["m"])])), []);
    assert_eq!(findings.mistakes().1, []);
}

#[test]
fn names_of_a_worker_that_are_none_are_not_shown() {
    let findings = findings(vec![named("a.B/last", Holder::Unsaid)]);
    let long = format!("last{}", "x".repeat(MAX_NAME_BYTES));
    let told = says(&findings, ("w", ""), &[("a.B", &["last\n", "la\u{1b}[2Jst", &long])]);
    assert!(told[0].ends_with("write the name as in the schema of the worker"), "{told:?}");
}
