//! What access files say, and all that is told of those with something wrong in them.

use std::fs;
use std::path::PathBuf;

use zsvc_proto::keys::Certificate;

use super::*;

const ONE: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
const TWO: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

/// A folder that is removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("zsvc-access-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn read(&self, text: impl AsRef<[u8]>) -> Read {
        let path = self.0.join("access.toml");
        fs::write(&path, text).unwrap();
        read(&path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(text: &str) -> PublicKey {
    text.parse().unwrap()
}

/// Checks what is told of a text with mistakes: each line without the name of the file.
#[track_caller]
fn check(name: &str, text: &str, told: &[&str]) {
    let folder = Folder::new(name);
    let error =
        folder.read(text.replace("ONE", ONE).replace("TWO", TWO)).clients.expect_err("it has mistakes");
    let prefix = format!("{}:", folder.0.join("access.toml").display());
    let lines: Vec<String> = error.to_string().lines().map(|line| line.replacen(&prefix, "", 1)).collect();
    assert_eq!(lines, told);
}

#[test]
fn a_file_says_who_the_clients_are() {
    let folder = Folder::new("fine");
    let pair = Certificate::of_pair(crate::curve::generate().unwrap());
    fs::write(folder.0.join("auditor.key"), pair.public_text()).unwrap();
    let read = folder.read(format!(
        "# Who may call.\n[clients.desk]\nkeys = [\"{ONE}\", \"{TWO}\"]\nroles = [\"trader\", \"admin\"]\n\n\
         [clients.\"the auditor\"]\nkey_files = [\"auditor.key\"]\nexpires = 2027-01-31T01:00:00+01:00\n\n"
    ));
    let end = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_801_353_600);
    assert_eq!(
        read.clients.unwrap(),
        [
            Client::new("desk").key(key(ONE)).key(key(TWO)).role("admin").role("trader"),
            Client::new("the auditor").key(pair.public_key()).expires(end),
        ]
    );
    assert_eq!(read.key_files, [folder.0.join("auditor.key")]);
    assert_eq!(folder.read("[clients]\n").clients.unwrap(), [], "none is let in");
}

#[test]
fn a_file_without_clients_is_taken_for_one_that_is_not_written_yet() {
    for text in ["", "# nothing yet\n"] {
        let help = "write `[clients.NAME]` for each, or `[clients]` alone to let none in";
        check("empty", text, &[&format!("1:1: this file has no clients; {help}")]);
    }
}

#[test]
fn keys_that_are_not_known_are_told_with_those_that_are_meant() {
    check(
        "unknown",
        "[client.desk]\nkeys = [\"ONE\"]\n[clients.desk]\nkey = [\"ONE\"]\nkeys = [\"ONE\"]\nrole = [\"a\"]\ncolour = 1\n",
        &[
            "1:2: there is no key `client` here; did you mean `clients`?",
            "4:1: there is no key `key` here; did you mean `keys`?",
            "6:1: there is no key `role` here; did you mean `roles`?",
            "7:1: there is no key `colour` here; there are `keys`, `key_files`, `roles`, `expires`",
        ],
    );
}

#[test]
fn keys_and_names_stand_once() {
    check(
        "twice",
        "[clients.a]\nkeys = [\"ONE\", \"ONE\"]\n[clients.b]\nkeys = [\"TWO\", \"ONE\"]\n",
        &[
            "2:53: this client has this key already; leave it out",
            "4:53: the client `a` has this key, too; give each client keys of its own, so that they can be told apart",
        ],
    );
    check(
        "named-twice",
        "[clients.a]\nkeys = [\"ONE\"]\n[clients.a]\nkeys = [\"TWO\"]\n",
        &["3:10: duplicate key; leave one of the two out: a client has one table, with all of its keys"],
    );
}

#[test]
fn values_of_a_wrong_kind_are_told_all_at_once() {
    check(
        "kinds",
        "[clients]\na = 1\n[clients.b]\nkeys = \"ONE\"\nroles = [\"ok\", 7, \"\"]\n[clients.c]\nkeys = [\"short\"]\n\
         expires = 2027-01-31\n[clients.d]\nkeys = [\"TWO\"]\nexpires = \"tomorrow\"\n[clients.\"\"]\nkeys = [\"ONE\"]\n\
         [clients.e]\nroles = []\n",
        &[
            "2:5: a client is a table; write `[clients.a]`, and its keys below",
            "4:8: this must be a list of strings; write `[\"…\"]`",
            "5:16: this must be a string; write it between quotes",
            "5:19: a role can't be empty; write it as `@roles` in the schema has it",
            "7:9: a key has 40 characters of Z85, and this text has 5; copy the public key from a file of `zsvc keygen`, or name \
             that file by `key_files`",
            "8:11: this must be a date and a time with an offset; write it as `2027-01-31T00:00:00Z`, without quotes",
            "11:11: this must be a time; write it as `2027-01-31T00:00:00Z`, without quotes",
            "12:10: a name can't be empty; give the client another name",
            "14:10: the client `e` has no key; write `keys = [\"…\"]` or `key_files = [\"….key\"]`, or leave the client out",
        ],
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let folder = Folder::new("syntax");
    let error = folder.read("[clients.a]\nkeys = [\n[clients.b\n").clients.unwrap_err().to_string();
    assert!(error.contains("access.toml:") && error.contains("write it as TOML"), "{error}");
    let error = folder.read(b"[clients.a]\n# \xff\n").clients.unwrap_err().to_string();
    assert!(error.ends_with(":2:3: this file is not UTF-8; save it as UTF-8"), "{error}");
    assert!(!folder.read("[clients.a]\n").is_unread, "it is wrong until it changes");
    let none = read(&folder.0.join("none.toml"));
    assert!(none.is_unread);
    let error = none.clients.unwrap_err().to_string();
    assert!(error.contains("none.toml` can't be read"), "{error}");
}

#[test]
fn a_key_that_is_none_is_not_repeated_in_what_is_told() {
    let folder = Folder::new("secret");
    let secret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%c"; // One character is missing.
    let error = folder.read(format!("[clients.a]\nkeys = [\"{secret}\"]\n")).clients.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&secret[..8]), "{error}");
}

#[test]
fn a_key_file_that_can_not_be_read_is_told_and_still_followed() {
    let folder = Folder::new("key-file");
    let read = folder.read("[clients.a]\nkey_files = [\"later.key\"]\n");
    let error = read.clients.unwrap_err().to_string();
    assert!(error.contains(":2:14: the key file `") && error.contains("later.key` can't be read"), "{error}");
    assert_eq!(read.key_files, [folder.0.join("later.key")]);
    assert!(read.is_unread);
}

#[test]
fn very_many_mistakes_are_told_in_part() {
    let folder = Folder::new("many");
    let text = (0..2_000).map(|number| format!("k{number} = 1")).collect::<Vec<_>>().join("\n");
    let AccessFileError::Wrong { mistakes, .. } = folder.read(text).clients.unwrap_err() else {
        panic!("they are there")
    };
    assert_eq!((mistakes.len(), mistakes[49].line(), mistakes[49].column()), (MAX_MISTAKES, 50, 1));
}
