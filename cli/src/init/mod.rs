//! What `zsvc init` writes: the files of a new crate, from the templates beside this file.

mod name;

pub(crate) use name::Name;

/// A file of a new crate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NewFile {
    /// Its path in the crate, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Where the crates of zsvc come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A registry.
    Version(&'static str),
    /// A checkout, by its absolute path.
    Checkout(String),
}

/// The paths of the files and their texts. In both, `{{…}}` is replaced.
const TEMPLATES: [(&str, &str); 10] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("build.rs", include_str!("template/build.rs.in")),
    ("svc/{{module}}.svc", include_str!("template/service.svc.in")),
    ("src/lib.rs", include_str!("template/lib.rs.in")),
    ("src/bin/server.rs", include_str!("template/server.rs.in")),
    ("src/bin/client.rs", include_str!("template/client.rs.in")),
    ("tests/greeter.rs", include_str!("template/test.rs.in")),
    ("zsvc.toml", include_str!("template/zsvc.toml.in")),
    ("README.md", include_str!("template/README.md.in")),
    (".gitignore", include_str!("template/gitignore.in")),
];

/// Returns the files of a new crate.
pub(crate) fn files(name: &Name, origin: &Origin) -> Vec<NewFile> {
    let module = name.module();
    let values = [
        ("{{name}}", name.as_str().to_owned()),
        ("{{module}}", module),
        ("{{runtime}}", origin.dependency("runtime")),
        ("{{codegen}}", origin.dependency("codegen")),
    ];
    let fill = |template: &str| {
        values.iter().fold(template.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value))
    };
    TEMPLATES.iter().map(|(path, text)| NewFile { path: fill(path), text: fill(text) }).collect()
}

impl Origin {
    /// Returns the part of a dependency in `Cargo.toml` that says where it comes from. `folder` is where a checkout has it.
    fn dependency(&self, folder: &str) -> String {
        match self {
            Self::Version(version) => format!("version = \"{version}\""),
            Self::Checkout(path) => format!("path = {}", toml_string(&format!("{path}/{folder}"))),
        }
    }
}

/// Returns a text as a basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                quoted.extend(format!("\\u{:04X}", u32::from(control)).chars());
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_placeholder_is_left() {
        let name = Name::parse("night-desk").unwrap();
        for file in files(&name, &Origin::Version("0.1.0")) {
            assert!(!file.text.contains("{{"), "{}: {}", file.path, file.text);
            assert!(!file.path.contains("{{"), "{}", file.path);
        }
    }

    #[test]
    fn the_service_is_right_and_in_the_style() {
        use zsvc_idl::{MemoryLoader, compile};

        let files = files(&Name::parse("night-desk").unwrap(), &Origin::Version("0.1.0"));
        let service = files.iter().find(|file| file.path == "svc/night_desk.svc").unwrap();
        let loader = MemoryLoader::default().with("night_desk.svc", service.text.as_str());
        let compiled = compile(&loader, &["night_desk.svc".to_owned()], &[]);
        assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
    }

    #[test]
    fn the_command_talks_to_the_server_of_the_crate() {
        let files = files(&Name::parse("night-desk").unwrap(), &Origin::Version("0.1.0"));
        let text = |path: &str| files.iter().find(|file| file.path == path).unwrap().text.as_str();
        let endpoint =
            text("src/lib.rs").split("ENDPOINT: &str = ").nth(1).unwrap().split(';').next().unwrap();
        assert!(text("zsvc.toml").contains(&format!("endpoint = {endpoint}\n")), "{endpoint}");
    }

    #[test]
    fn a_checkout_may_be_at_any_path() {
        let origin = Origin::Checkout("C:\\my \"own\"\u{7}".to_owned());
        assert_eq!(origin.dependency("runtime"), "path = \"C:\\\\my \\\"own\\\"\\u0007/runtime\"");
    }
}
