//! What `zsvc keygen` writes, and who may read it; secrets that others may read. What is printed is in `cmd/keys.trycmd`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use zsvc_proto::keys::Certificate;

fn zsvc(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    command.args(arguments).current_dir(folder).output().expect("the command runs")
}

fn certificate(path: &Path) -> Certificate {
    Certificate::read(&fs::read(path).expect("it was written")).expect("it is a certificate")
}

#[test]
fn a_pair_is_two_files_that_belong_together_and_no_two_are_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let pairs = ["floor", "desk"].map(|name| {
        let told = zsvc(folder.path(), &["keygen", name]);
        assert!(told.status.success(), "{told:?}");
        let secret = certificate(&folder.path().join(format!("{name}.key_secret")));
        let public = certificate(&folder.path().join(format!("{name}.key")));
        assert!(public.secret_key().is_none());
        assert_eq!((public.public_key(), public.name()), (secret.public_key(), Some(name)));
        let told = String::from_utf8(told.stdout).expect("it is text");
        assert!(told.contains(&public.public_key().to_string()));
        let secret = secret.into_secret_key().expect("it has one");
        assert!(!told.contains(secret.to_z85().as_str()));
        secret.public_key()
    });
    assert_ne!(pairs[0], pairs[1]);
}

#[test]
fn no_file_is_written_over_and_none_is_left_of_half_a_pair() {
    for taken in ["floor.key", "floor.key_secret"] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(taken), "precious").expect("it can be written");
        let told = zsvc(folder.path(), &["keygen", "floor"]);
        assert_eq!(told.status.code(), Some(2), "{told:?}");
        assert_eq!(fs::read_to_string(folder.path().join(taken)).expect("it is there"), "precious");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}

#[cfg(unix)]
#[test]
fn a_secret_is_for_its_owner_alone_and_one_that_others_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    assert!(zsvc(folder.path(), &["keygen", "floor"]).status.success());
    let path = folder.path().join("floor.key_secret");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert!(zsvc(folder.path(), &["key", "show", "floor.key_secret"]).status.success());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let told = zsvc(folder.path(), &["key", "show", "floor.key_secret"]);
    assert_eq!(told.status.code(), Some(1));
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(said.contains("others than its owner may read") && said.contains("chmod 600"), "{said}");
}
