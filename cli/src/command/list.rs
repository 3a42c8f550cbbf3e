//! `zsvc list [SERVICE]`

use clap::Args;
use serde_json::json;
use zsvc_dynamic::find::{self, NotFound};
use zsvc_idl::schema::MethodKind;

use super::Outcome;
use crate::live::failure::{Failure, shown};
use crate::live::known::{Known, SchemaFiles};
use crate::live::output::Output;
use crate::live::reflection::{Reflection, ServiceInfo, is_builtin};
use crate::live::run::{Stop, run};
use crate::live::target::{Connected, Target};

/// The arguments of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// A service, or an end of its name, whose methods to print.
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Prints the methods of all services, too.
    #[arg(short, long)]
    methods: bool,
    /// Prints the services that every server has by itself, too.
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    schema: SchemaFiles,
    #[command(flatten)]
    target: Target,
}

/// A service to print, and its methods: name, kind, and roles of which a caller needs one.
struct Listed {
    name: String,
    methods: Vec<(String, &'static str, Vec<String>)>,
}

impl List {
    /// Prints the services of a server or of a schema.
    pub(crate) fn run(self) -> Outcome {
        run(self.target.json, self.list())
    }

    async fn list(&self) -> Result<(), Stop> {
        let listed = if let Some(known) = self.schema.read()? {
            of_schema(&known)
        } else {
            let asked = async |connected: &Connected| Reflection::new(&connected.channel).services().await;
            self.target.with_server(asked).await?.iter().map(of_server).collect()
        };
        let wanted = match &self.service {
            Some(name) => vec![Self::named(listed, name)?],
            None => listed.into_iter().filter(|service| self.all || !is_builtin(&service.name)).collect(),
        };
        self.print(&wanted)
    }

    fn named(mut listed: Vec<Listed>, name: &str) -> Result<Listed, Failure> {
        let names: Vec<&str> = listed.iter().map(|service| service.name.as_str()).collect();
        let found = find::among(&names, name);
        let found = found.map_err(|error: NotFound| Failure::of_name("services", &error))?;
        Ok(listed.swap_remove(found))
    }

    fn print(&self, listed: &[Listed]) -> Result<(), Stop> {
        let output = Output::new();
        for service in listed {
            if self.target.json {
                let methods = service
                    .methods
                    .iter()
                    .map(|(name, kind, roles)| json!({ "name": name, "kind": kind, "roles": roles }));
                let line = json!({ "name": service.name, "methods": methods.collect::<Vec<_>>() });
                output.line(&line.to_string())?;
                continue;
            }
            output.line(&shown(&service.name))?;
            if self.methods || self.service.is_some() {
                let width = service.methods.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
                for (name, kind, roles) in &service.methods {
                    let roles =
                        if roles.is_empty() { String::new() } else { format!(", for {}", roles.join(", ")) };
                    output.line(&shown(&format!("  {name:width$}  {kind}{roles}")))?;
                }
            }
        }
        Ok(())
    }
}

fn of_server(service: &ServiceInfo) -> Listed {
    let methods =
        service.methods.iter().map(|method| (method.name.clone(), method.kind(), method.roles.clone()));
    Listed { name: service.name.clone(), methods: methods.collect() }
}

fn of_schema(known: &Known) -> Vec<Listed> {
    let services = find::services(&known.schema).map(|(name, service)| {
        let methods = service.methods.iter().map(|method| {
            let kind = match &method.kind {
                MethodKind::Unary(_) => "unary",
                MethodKind::ServerStream(_) => "server stream",
                MethodKind::ClientStream(..) => "client stream",
                MethodKind::Bidirectional(..) => "bidirectional",
                MethodKind::OneWay => "one-way",
            };
            (method.name.clone(), kind, service.access_of(method).roles().to_vec())
        });
        Listed { name, methods: methods.collect() }
    });
    services.collect()
}
