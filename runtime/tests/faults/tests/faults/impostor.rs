//! [`Impostor`]: what listens in place of a server, for a time.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::Served;

/// An endpoint whose first connections are answered by bytes, and later ones by a server.
pub(crate) struct Impostor {
    pub(crate) endpoint: String,
    task: JoinHandle<()>,
}

impl Impostor {
    /// Says `says` on the first `number` connections, and waits until the client cuts them.
    pub(crate) async fn before(server: Option<&Served>, number: usize, says: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let endpoint = format!("tcp://{}", listener.local_addr().expect("it is bound"));
        let server = server.and_then(|server| Some(server.endpoint().strip_prefix("tcp://")?.to_owned()));
        let task = tokio::spawn(async move {
            for _ in 0..number {
                let Ok((mut client, _)) = listener.accept().await else { return };
                let said = client.write_all(&says).await;
                let cut = client.read_to_end(&mut Vec::new()).await;
                drop((said, cut));
            }
            while let (Some(server), Ok((mut client, _))) = (&server, listener.accept().await) {
                let mut server = TcpStream::connect(server).await.expect("the server listens");
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        });
        Self { endpoint, task }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}
