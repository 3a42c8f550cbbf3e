//! Handlers and calls for what tonic generates.

use crate::{Answers, Method, Schema, Takes};

const HEAD: &str = "
/// Handlers that answer nothing yet.
pub struct Books;

/// A stream as tonic's examples have it.
pub type Streamed<T> = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<T, tonic::Status>> + Send>>;

/// A server of them.
pub fn server() -> tonic::transport::server::Router {
    tonic::transport::Server::builder().add_service(FleetServer::new(Books))
}

#[tonic::async_trait]
impl Fleet for Books {
";

impl Schema {
    /// A handler and a call for each method.
    #[must_use]
    pub fn to_tonic_use(&self) -> String {
        let mut text = HEAD.to_owned();
        self.methods.iter().for_each(|it| text += &handler(it));
        text += "}\n";
        self.methods.iter().for_each(|it| text += &call(it));
        text
    }
}

const NOT_YET: &str = "Err(tonic::Status::unimplemented(\"not yet\"))";

fn handler(Method { name, takes, answers, .. }: &Method) -> String {
    let request = match takes {
        Takes::Parameters { message, .. } => message.clone(),
        Takes::Stream(of) => format!("tonic::Streaming<{of}>"),
    };
    let (stream, answer) = match answers {
        Answers::Done | Answers::Never => (String::new(), "()".to_owned()),
        Answers::One(of) => (String::new(), of.clone()),
        Answers::Stream(of) => {
            let stream = format!("{}Stream", crate::pascal(name));
            (format!("type {stream} = Streamed<{of}>;\n"), format!("Self::{stream}"))
        }
    };
    let parameters = format!("&self, _: tonic::Request<{request}>");
    let result = format!("Result<tonic::Response<{answer}>, tonic::Status>");
    format!("{stream}async fn {name}({parameters}) -> {result} {{ {NOT_YET} }}\n")
}

fn call(Method { name, takes, answers, .. }: &Method) -> String {
    let request = match takes {
        Takes::Parameters { message, .. } => message.clone(),
        Takes::Stream(of) => format!("tokio_stream::Iter<std::vec::IntoIter<{of}>>"),
    };
    let answer = match answers {
        Answers::Done | Answers::Never => "()".to_owned(),
        Answers::One(of) => of.clone(),
        Answers::Stream(of) => format!("tonic::Streaming<{of}>"),
    };
    let parameters = format!("fleet: &mut FleetClient<tonic::transport::Channel>, request: {request}");
    let signature = format!("pub async fn call_{name}({parameters}) -> Result<{answer}, tonic::Status>");
    format!(
        "\n/// Calls it.\n{signature} {{ fleet.{name}(request).await.map(tonic::Response::into_inner) }}\n"
    )
}
