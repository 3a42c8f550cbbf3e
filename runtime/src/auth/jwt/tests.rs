//! Tokens that are good, and all ways in which they are not. Those of `vectors/` are by other programs (Python's `cryptography`), whose
//! secret keys are not kept; all of them say the same, and their time is up in the year 2100.

use std::fs;
use std::path::PathBuf;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;
use crate::status::Code;

const JWKS: &str = include_str!("vectors/jwks.json");
const RSA: &str = include_str!("vectors/rsa.pem");
const TOKENS: &str = include_str!("vectors/tokens.txt");
const SECRET: &str = "a secret that is known to these tests, and to no other";

/// A file of keys, which is removed when this is dropped.
struct KeyFile(PathBuf);

impl KeyFile {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("zsvc-jwt-{}-{name}", std::process::id()));
        write(&path, text);
        Self(path)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes a file for its owner alone, in place of the one that is there.
fn write(path: &std::path::Path, text: &str) {
    let other = path.with_extension("new");
    fs::write(&other, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::rename(other, path).unwrap();
}

fn by_jwks(name: &str) -> (KeyFile, Jwt) {
    let file = KeyFile::new(name, JWKS);
    let jwt = Jwt::new(JwtKeys::jwks(&file.0), "orders").unwrap();
    (file, jwt)
}

fn by_secret(name: &str) -> (KeyFile, Jwt) {
    let file = KeyFile::new(name, &format!("{SECRET}\n"));
    let jwt = Jwt::new(JwtKeys::secret(&file.0), "orders").unwrap();
    (file, jwt)
}

fn token(name: &str) -> &'static str {
    let line = TOKENS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect("there is such a token")
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// Signs claims by the secret, in addition to those that a good token has. `null` takes one of these away.
fn signed(more: &Value) -> String {
    let mut claims = json!({ "sub": "alice", "aud": "orders", "roles": ["trader"], "exp": now() + 600 });
    for (name, value) in more.as_object().expect("they are an object") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes()).unwrap()).unwrap()
}

/// Checks that a token is refused, and what is told of it.
#[track_caller]
fn refuses(jwt: &Jwt, token: &str, told: &str) {
    let status = jwt.verify(token).expect_err("it is not good");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains(told), "{status}");
}

#[test]
fn tokens_of_other_programs_by_each_kind_of_key_are_taken() {
    let (_file, jwt) = by_jwks("kinds");
    let jwt = jwt.issuer("https://login.example");
    for name in ["rs256", "ps256", "es256", "eddsa"] {
        let grant = jwt.verify(token(name)).unwrap();
        assert_eq!(grant.identity().name(), "alice", "{name}");
        assert_eq!(grant.identity().roles().collect::<Vec<_>>(), ["clerk", "trader"]);
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800 + 30);
        assert_eq!(grant.end(), Some(end), "with the difference that clocks may have");
    }
    for (pem, name) in [
        (RSA, "rs256"),
        (RSA, "rs256-unknown-kid"),
        (include_str!("vectors/p256.pem"), "es256"),
        (include_str!("vectors/ed25519.pem"), "eddsa"),
    ] {
        let file = KeyFile::new(name, pem);
        let jwt = Jwt::new(JwtKeys::pem(&file.0), "orders").unwrap();
        assert!(jwt.verify(token(name)).is_ok(), "{name}: a single key is meant whatever it is called");
    }
}

#[test]
fn a_token_names_one_of_the_keys_and_can_not_choose_what_it_is_used_for() {
    let (_file, jwt) = by_jwks("named");
    refuses(&jwt, token("rs256-unknown-kid"), "names a key that is not known");
    refuses(&jwt, token("rs256-for-encryption"), "names a key that is not known");
    refuses(&jwt, token("rs256-kid-of-another"), "an algorithm that is not taken");
    assert!(jwt.verify(token("rs256-no-kid")).is_ok(), "one key alone is of that algorithm");
    let jwt = jwt.algorithm(Algorithm::Es256).algorithm(Algorithm::Ps256);
    assert!(jwt.verify(token("es256")).is_ok() && jwt.verify(token("ps256")).is_ok());
    refuses(&jwt, token("rs256"), "an algorithm that is not taken");
}

#[test]
fn a_public_key_is_no_secret_and_no_signature_is_none() {
    let file = KeyFile::new("confused", RSA);
    let jwt = Jwt::new(JwtKeys::pem(&file.0), "orders").unwrap();
    // Who takes the algorithm from the token would take the public key for the secret of an HMAC.
    let claims = json!({ "sub": "mallory", "aud": "orders", "exp": now() + 600 });
    let forged =
        encode(&Header::default(), &claims, &EncodingKey::from_secret(RSA.as_bytes()).unwrap()).unwrap();
    refuses(&jwt, &forged, "an algorithm that is not taken");
    refuses(&jwt.clone().algorithm(Algorithm::Hs256), &forged, "an algorithm that is not taken");
    let (_file, by_secret) = by_secret("none");
    let good = signed(&json!({}));
    let claims = good.split('.').nth(1).unwrap();
    // {"alg":"none"}, {"alg":"None","typ":"JWT"}
    for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0"] {
        for signature in ["", good.rsplit('.').next().unwrap()] {
            let unsigned = format!("{header}.{claims}.{signature}");
            refuses(&by_secret, &unsigned, "");
            refuses(&jwt, &unsigned, "");
        }
    }
}

#[test]
fn the_time_the_audience_and_the_issuer_of_a_token_are_heeded() {
    let (_file, jwt) = by_secret("claims");
    assert!(jwt.verify(&signed(&json!({}))).is_ok());
    let (past, ahead) = (now() - 600, now() + 600);
    refuses(&jwt, &signed(&json!({ "exp": past })), "time is up");
    refuses(&jwt, &signed(&json!({ "exp": null })), "lacks the claim `exp`");
    refuses(&jwt, &signed(&json!({ "exp": "tomorrow" })), "");
    refuses(&jwt, &signed(&json!({ "exp": -1 })), "");
    refuses(&jwt, &signed(&json!({ "nbf": ahead })), "has not come yet");
    refuses(&jwt, &signed(&json!({ "nbf": "now" })), "");
    refuses(&jwt, &signed(&json!({ "aud": "invoices" })), "another audience");
    refuses(&jwt, &signed(&json!({ "aud": null })), "lacks the claim `aud`");
    assert!(jwt.verify(&signed(&json!({ "aud": ["invoices", "orders"] }))).is_ok());
    assert!(jwt.clone().audience("invoices").verify(&signed(&json!({ "aud": "invoices" }))).is_ok());
    let of_one = jwt.clone().issuer("https://login.example");
    refuses(&of_one, &signed(&json!({ "iss": "https://login.evil" })), "another issuer");
    refuses(&of_one, &signed(&json!({})), "lacks the claim `iss`");
    assert!(of_one.verify(&signed(&json!({ "iss": "https://login.example" }))).is_ok());
    // Clocks differ by a little.
    let just_past = signed(&json!({ "exp": now() - 10, "nbf": now() + 10 }));
    assert!(jwt.verify(&just_past).is_ok());
    refuses(&jwt.clone().leeway(Duration::ZERO), &just_past, "time is up");
    assert!(
        jwt.leeway(Duration::MAX).verify(&signed(&json!({ "exp": now() - 500 }))).is_ok(),
        "ten minutes at most"
    );
}

#[test]
fn names_and_roles_are_read_where_the_program_says() {
    let (_file, jwt) = by_secret("roles");
    let roles = |jwt: &Jwt, more: Value| {
        let grant = jwt.verify(&signed(&more)).unwrap();
        grant.identity().roles().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(roles(&jwt, json!({ "roles": null })), [""; 0]);
    assert_eq!(roles(&jwt, json!({ "roles": "admin trader" })), ["admin", "trader"]);
    let nested = jwt.clone().role_claim("realm_access.roles");
    assert_eq!(roles(&nested, json!({ "realm_access": { "roles": ["a"] } })), ["a"]);
    assert_eq!(roles(&nested, json!({ "realm_access.roles": ["b"], "realm_access": {} })), ["b"]);
    assert_eq!(roles(&nested, json!({})), [""; 0], "those of `roles` are not meant");
    refuses(&jwt, &signed(&json!({ "roles": ["a", 1] })), "`roles` of the token must be a list of texts");
    refuses(&jwt, &signed(&json!({ "roles": { "admin": true } })), "must be a list of texts");
    for sub in [json!(null), json!(""), json!(7), json!("alice\nbob")] {
        refuses(&jwt, &signed(&json!({ "sub": sub })), "");
    }
    let named = jwt.name_claim("email").verify(&signed(&json!({ "email": "a@example" }))).unwrap();
    assert_eq!(named.identity().name(), "a@example");
}

#[test]
fn what_is_no_token_is_refused_whatever_it_is() {
    let (_file, jwt) = by_secret("garbage");
    let good = signed(&json!({}));
    let mut wrong: Vec<String> =
        ["", ".", "..", "...", "a.b.c", "{}", "\u{0}", "é.é.é"].map(str::to_owned).into();
    wrong.extend([
        "x".repeat(8_192),
        ".".repeat(8_192),
        format!("{good}."),
        format!("{good}.{good}"),
        good[1..].to_owned(),
    ]);
    // Each character changed to another of base64, but for the last of a part, some of whose bits stand for nothing.
    for at in 0..good.len() - 1 {
        let is_last = good.as_bytes()[at] == b'.' || good.as_bytes()[at + 1] == b'.';
        let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
        if !is_last {
            wrong.push(format!("{}{other}{}", &good[..at], &good[at + 1..]));
        }
    }
    for token in wrong {
        let status = jwt.verify(&token).expect_err("it is none");
        assert_eq!(status.code(), Code::Unauthenticated, "{token}");
        assert!(token.len() < 20 || !status.message().contains(&token[..20]), "{status}");
    }
    assert!(jwt.verify(&good).is_ok());
}

#[test]
fn files_without_keys_are_told_with_what_is_wrong() {
    let told = |name: &str, text: &str, keys: fn(PathBuf) -> JwtKeys| {
        let file = KeyFile::new(name, text);
        Jwt::new(keys(file.0.clone()), "orders").map(|_| ()).unwrap_err().to_string()
    };
    for (text, keys, what) in [
        ("{}", JwtKeys::jwks as fn(PathBuf) -> JwtKeys, "no JSON Web Key Set: line 1"),
        (r#"{"keys": []}"#, JwtKeys::jwks, "none of its keys is public"),
        (r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#, JwtKeys::jwks, "none of its keys is public"),
        (RSA, JwtKeys::jwks, "no JSON Web Key Set"),
        (JWKS, JwtKeys::pem, "no `PUBLIC KEY` in PEM"),
        // As long as a key may be, but for what is around it.
        (include_str!("vectors/rsa-1968.pem"), JwtKeys::pem, "an RSA key has 2048 bits or more"),
        ("-----BEGIN PRIVATE KEY-----\n", JwtKeys::pem, "it is a private key"),
        ("too short\n", JwtKeys::secret, "32 random bytes or more, and this one has 9"),
    ] {
        let told = told("wrong", text, keys);
        assert!(told.contains(what), "{told}");
    }
    let twice = JWKS.replace("\"kid\": \"e\"", "\"kid\": \"r\"");
    assert!(told("twice", &twice, JwtKeys::jwks).contains("the same `kid`"));
    let none = Jwt::new(JwtKeys::jwks("/nowhere/jwks.json"), "orders").map(|_| ()).unwrap_err().to_string();
    assert!(none.contains("can't be read"), "{none}");
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = KeyFile::new("exposed", SECRET);
    fs::set_permissions(&file.0, fs::Permissions::from_mode(0o640)).unwrap();
    let error = Jwt::new(JwtKeys::secret(&file.0), "orders").map(|_| ()).unwrap_err();
    assert!(
        matches!(error, JwtKeyError::Exposed { .. }) && error.to_string().contains("chmod 600"),
        "{error}"
    );
}

/// Waits until what follows a file has done something.
fn until(is_done: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_done() {
        assert!(began.elapsed() < Duration::from_secs(20), "the file is not followed");
        std::thread::yield_now();
    }
}

#[test]
fn a_changed_file_of_keys_is_taken_over_and_a_wrong_one_is_not() {
    let (file, jwt) = by_secret("changed");
    let good = signed(&json!({}));
    write(&file.0, "too short");
    until(|| jwt.files_refused() == 1);
    assert!(jwt.verify(&good).is_ok());
    assert_eq!((jwt.files_taken(), jwt.generation()), (0, 0));
    write(&file.0, "another secret, of which the tokens so far know nothing");
    until(|| jwt.files_taken() == 1);
    assert_eq!(jwt.generation(), 1, "what is remembered is forgotten");
    refuses(&jwt, &good, "signature does not fit");
}

#[cfg(unix)]
#[test]
fn a_changed_secret_that_others_could_read_is_taken_over_once_they_can_t() {
    use std::os::unix::fs::PermissionsExt as _;
    let (file, jwt) = by_secret("changed-exposed");
    let good = signed(&json!({}));
    let next = KeyFile::new("next-exposed", "another secret, of which the tokens so far know nothing");
    fs::set_permissions(&next.0, fs::Permissions::from_mode(0o644)).unwrap();
    fs::rename(&next.0, &file.0).unwrap();
    until(|| jwt.files_refused() == 1);
    assert!(jwt.verify(&good).is_ok());
    fs::set_permissions(&file.0, fs::Permissions::from_mode(0o600)).unwrap();
    until(|| jwt.files_taken() == 1);
    refuses(&jwt, &good, "signature does not fit");
}

#[test]
fn nothing_that_is_printed_has_a_secret() {
    let (_file, jwt) = by_secret("printed");
    let printed = format!("{jwt:?} {:?}", Claim::of_token("a.secret.token"));
    assert!(!printed.contains("secret"), "{printed}");
}
