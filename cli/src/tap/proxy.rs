//! The connections of a tap: bytes pass in both directions, and are looked at on their way.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::conversation::{Conversation, Side, Told};
use super::frames::{Frames, Seen};
use crate::live::known::Known;

/// Number of bytes that are read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// What is told of a connection: its number, and what it is.
pub(crate) type Tell = Rc<dyn Fn(u64, &Event<'_>)>;

/// What happens to a connection.
pub(crate) enum Event<'a> {
    Opened(std::net::SocketAddr),
    Closed,
    Failed(String),
    Note(Side, &'static str),
    Told(&'a Told),
}

/// Accepts connections, each of which is passed on to an address, until it is dropped.
pub(crate) async fn serve(listener: TcpListener, to: String, known: Option<&'static Known>, tell: Tell) {
    for number in 1.. {
        match listener.accept().await {
            Ok((client, address)) => {
                tell(number, &Event::Opened(address));
                let (to, tell) = (to.clone(), Rc::clone(&tell));
                tokio::task::spawn_local(async move { connection(number, client, &to, known, &tell).await });
            }
            // As where no descriptor is free: the next try may find one.
            Err(error) => {
                tell(number, &Event::Failed(error.to_string()));
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(number: u64, client: TcpStream, to: &str, known: Option<&'static Known>, tell: &Tell) {
    let server = match TcpStream::connect(to).await {
        Ok(server) => server,
        Err(error) => return tell(number, &Event::Failed(format!("`{to}` can't be reached: {error}"))),
    };
    // A proxy should add no delay of its own.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let conversation = RefCell::new(Conversation::new(known));
    let tap = |side| Tap { number, side, conversation: &conversation, tell };
    let (calls, answers) = (tap(Side::Client), tap(Side::Server));
    tokio::join!(calls.pass(from_client, to_server), answers.pass(from_server, to_client));
    tell(number, &Event::Closed);
}

/// One direction of a connection.
struct Tap<'a> {
    number: u64,
    side: Side,
    conversation: &'a RefCell<Conversation<'static>>,
    tell: &'a Tell,
}

impl Tap<'_> {
    /// Passes bytes on until one side ends. The end is passed on, too.
    async fn pass(&self, mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
        let (mut buffer, mut frames) = (vec![0; BUFFER_BYTES], Frames::default());
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            // First what was sent is told, then it is passed on: an answer is told after its call.
            self.look(frames.take(&buffer[..read]));
            if to.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
        // The other side may have gone.
        let _ = to.shutdown().await;
    }

    fn look(&self, seen: Vec<Seen>) {
        for seen in seen {
            let note = match seen {
                Seen::Message(frames) => {
                    let told = self.conversation.borrow_mut().message(self.side, frames);
                    for told in &told {
                        (self.tell)(self.number, &Event::Told(told));
                    }
                    continue;
                }
                Seen::Encrypted => "the connection is encrypted; nothing can be seen of it",
                Seen::Foreign => "these bytes are not ZeroMQ's",
                Seen::TooLong(_) => "a message is too long to be shown",
            };
            (self.tell)(self.number, &Event::Note(self.side, note));
        }
    }
}
