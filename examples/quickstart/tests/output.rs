//! Runs the program as a user would: it must succeed, and print a line for each kind of method; with an endpoint, it must serve
//! there until it is told to stop.

#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::process::Command;
#[cfg(unix)]
use std::{process::Stdio, time::Duration};

#[cfg(unix)]
zsvc::include_generated!();

#[test]
fn every_kind_of_method_is_shown() {
    let output = Command::new(env!("CARGO_BIN_EXE_quickstart")).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // The server prints a one-way call when it arrives, which may be a line earlier or later.
    let (noted, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("oneway"));
    assert_eq!(noted, ["oneway          the server notes: that was all"]);
    let expected = [
        "server          listens at tcp://127.0.0.1:",
        "unary           Greeting { name: \"Ada\", language: English, title: None }",
        "declared error  no such name: Unknown",
        "server stream   3",
        "server stream   2",
        "server stream   1",
        "server stream   0",
        "client stream   1 + 2 + … + 100 = 5050",
        "bidirectional   sent Grace, got Greeting { name: \"Grace\", language: German, title: None }",
        "bidirectional   sent Linus, got Greeting { name: \"Linus\", language: German, title: None }",
        "two at once     A and B: calls made together leave together",
        // Either end may have noticed first, and each has its own message.
        "deadline        deadline_exceeded (maybe executed)",
        "server          drained and stopped",
    ];
    assert_eq!(rest.len(), expected.len(), "{text}");
    for (line, start) in rest.iter().zip(expected) {
        assert!(line.starts_with(start), "`{line}` is not `{start}…`");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn with_an_endpoint_it_serves_until_it_is_told_to_stop() {
    use greeter::v1::{GreeterClient, Language};

    let mut server = Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .arg("tcp://127.0.0.1:*")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(server.stdout.take().expect("its output is piped")).lines();
    let first = lines.next().expect("a line is printed").expect("it can be read");
    let endpoint = first.strip_prefix("server          listens at ").expect("it says where it listens");

    let client = GreeterClient::connect(endpoint).await.expect("the server is there");
    let greeting = client.greet("Ada", Language::English).deadline(Duration::from_secs(10)).await;
    assert_eq!(greeting.expect("the call is answered").name, "Ada");
    drop(client);

    let told = Command::new("kill").arg(server.id().to_string()).status().expect("`kill` is there");
    assert!(told.success(), "the server was gone before");
    let last = lines.next().expect("a line is printed").expect("it can be read");
    assert_eq!(last, "server          drained and stopped");
    assert!(server.wait().expect("it ends").success());
}
