//! [`Known`]: the schema by which a command talks, from files or from the server itself.

use clap::Args;
use zsvc_codegen::{Disk, Project};
use zsvc_dynamic::find::{self, FoundMethod};
use zsvc_dynamic::remote;
use zsvc_dynamic::subscription::{add_publications, add_subscriptions};
use zsvc_idl::compile;
use zsvc_idl::schema::Schema;
use zsvc_idl::source::SourceMap;

use super::failure::Failure;
use super::reflection::{Reflection, ServiceInfo, is_builtin};
use super::run::Stop;
use crate::command::inputs;
use crate::command::report::Report;

/// Where the schema comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SchemaFiles {
    /// A .svc file, or a folder that holds some, in place of the schema that the server tells; may be given several times.
    #[arg(long, value_name = "FILE")]
    schema: Vec<String>,
    /// A folder in which imports are looked for that are not beside the importing file; may be given several times.
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    include: Vec<String>,
}

/// A schema, with its texts.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) schema: Schema,
    pub(crate) sources: SourceMap,
}

impl SchemaFiles {
    /// Reads the files, if some are named.
    pub(crate) fn read(&self) -> Result<Option<Known>, Stop> {
        if self.schema.is_empty() { Ok(None) } else { self.read_named(&self.schema).map(Some) }
    }

    /// Reads some files; without any, those of the project.
    pub(crate) fn read_named(&self, named: &[String]) -> Result<Known, Stop> {
        let report = Report::default();
        let project = inputs::project(report).map_err(Stop::Told)?;
        let files = inputs::files(named, project.as_ref(), report).map_err(Stop::Told)?;
        let mut include = self.include.clone();
        include.extend(named.iter().filter(|path| std::path::Path::new(path).is_dir()).cloned());
        include.extend(project.iter().flat_map(Project::include_paths));
        let compilation = compile(&Disk::default(), &files, &include);
        report.diagnostics(&compilation.diagnostics, &compilation.sources);
        let (schema, sources) = inputs::compiled(compilation).map_err(Stop::Told)?;
        Ok(Known::of(schema, sources))
    }
}

impl Known {
    /// Knows a schema, and how its events are subscribed to.
    fn of(mut schema: Schema, sources: SourceMap) -> Self {
        add_subscriptions(&mut schema);
        Self { schema, sources }
    }

    /// Knows how events are published, too, as routers let clients do.
    pub(crate) fn with_publications(mut self) -> Self {
        add_publications(&mut self.schema);
        self
    }

    /// Asks a server for the schema of one of its services.
    pub(crate) async fn of_service(reflection: &Reflection<'_>, service: &str) -> Result<Self, Stop> {
        let files = reflection.schema(service).await?;
        let (schema, sources) = remote::compile(files).map_err(|refused| {
            Failure::unusable(refused.to_string())
                .help("the server is of a newer version, or no server of zsvc; `--schema FILE` reads a schema from files")
        })?;
        Ok(Self::of(schema, sources))
    }

    /// Asks a server for the schema of the service that has a method, of which an end of the name will do. Returns the method's full
    /// name, too.
    pub(crate) async fn of_method(reflection: &Reflection<'_>, name: &str) -> Result<(Self, String), Stop> {
        let services = reflection.services().await?;
        let full: Vec<String> = services.iter().flat_map(ServiceInfo::method_names).collect();
        let name = pick(&full, name)?;
        // The name has a `/`, since it was made with one.
        let service = name.split('/').next().unwrap_or_default();
        Ok((Self::of_service(reflection, service).await?, name))
    }

    /// Returns a method by its full name, or by an end of it.
    pub(crate) fn method(&self, name: &str) -> Result<FoundMethod<'_>, Failure> {
        find::method(&self.schema, name).map_err(|error| Failure::of_name("methods of the schema", &error))
    }
}

/// Returns the full name that a name is, or is the end of. The server's own services give way to the program's.
fn pick(full: &[String], name: &str) -> Result<String, Failure> {
    let own: Vec<&str> = full.iter().map(String::as_str).filter(|name| !is_builtin(name)).collect();
    let all: Vec<&str> = full.iter().map(String::as_str).collect();
    match (find::among(&own, name), find::among(&all, name)) {
        (Ok(index), _) => Ok(own[index].to_owned()),
        (_, Ok(index)) => Ok(all[index].to_owned()),
        (Err(error), _) => Err(Failure::of_name("methods of the server", &error)),
    }
}
