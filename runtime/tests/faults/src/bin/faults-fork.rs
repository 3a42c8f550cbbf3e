//! A program with a server and clients that forks while calls are in flight, and nothing runs. Its children use what they have of it, which fails, and
//! make everything anew, which works; then the program finds everything of its own as before. It prints `as before` at the end.
//!
//! A process of its own, since a test's has the threads of other tests, which may hold any lock.

// For `fork` itself, and the end of a child, which must not run what the parent has left to run.
#![allow(unsafe_code)]

use std::error::Error;
use std::time::Duration;

use futures_util::stream;
use tokio::runtime::{Builder, Runtime};
use zsvc::{Cause, Channel, Code, Outcome, Server, Sink, Status, Streaming};
use zsvc_faults::faults::v1::{LedgerClient, LedgerServer};
use zsvc_faults::{Book, Keeper};

type Failed = Box<dyn Error + Send + Sync>;

/// Number of children.
const CHILDREN: usize = 8;
/// Time after which a child has failed.
const HANGS: Duration = Duration::from_secs(10);
/// What each server binds beside a port of its own: a name within the process, or one more port, where clients and servers have
/// different engines.
fn name() -> &'static str {
    if engine("CLIENT") == engine("SERVER") { "inproc://ledger" } else { "tcp://127.0.0.1:*" }
}

fn engine(side: &str) -> Option<String> {
    let both = || std::env::var("ZSVC_ENGINE").ok();
    std::env::var(format!("ZSVC_{side}_ENGINE")).ok().or_else(both)
}

fn main() -> Result<(), Failed> {
    let folder = std::env::args().nth(1).ok_or("the folder for books is missing")?;
    let book = |name: &str| Book::open(&std::path::Path::new(&folder).join(name));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let single = single()?;
    let mut parent = runtime.block_on(Parent::start(book("parent")?, book("idle")?))?;
    let alone = single.block_on(connect(&parent.endpoint))?;
    for child in 0..CHILDREN {
        until_others_sleep()?;
        // SAFETY: the child makes threads and sockets of its own, and ends by `_exit`.
        match unsafe { libc::fork() } {
            0 => {
                let done = in_child(parent, alone, &single, book(&format!("child-{child}")));
                if let Err(error) = &done {
                    eprintln!("child {child}: {error}");
                }
                // SAFETY: it has no conditions.
                unsafe { libc::_exit(i32::from(done.is_err())) };
            }
            id if id > 0 => wait_for(id)?,
            _ => return Err(std::io::Error::last_os_error().into()),
        }
        runtime.block_on(parent.is_as_before())?;
        single.block_on(async { in_time(alone.enter(1, Duration::ZERO)).await })??;
    }
    println!("as before");
    Ok(())
}

/// Creates a runtime of one thread. One of several can't be relied on in a child: tokio parks threads by `parking_lot`, where it has that
/// feature, whose list of parked threads has the parent's, which are not there.
fn single() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

async fn connect(endpoint: &str) -> Result<LedgerClient, Status> {
    Ok(LedgerClient::new(Channel::connect(endpoint).await?))
}

/// Binds a server to a port and to [`name`].
fn bind(book: Book) -> Result<Server, Failed> {
    let server = Server::builder().service(LedgerServer::new(Keeper::new(book)));
    Ok(server.bind("tcp://127.0.0.1:*").bind(name()).listen()?)
}

/// What the parent has.
struct Parent {
    endpoint: String,
    ledger: LedgerClient,
    within: LedgerClient,
    /// Both ends of a stream that comes back.
    sink: Sink<bytes::Bytes>,
    stream: Streaming<bytes::Bytes>,
    /// A server that does not serve yet.
    idle: Option<Server>,
}

impl Parent {
    async fn start(book: Book, idle: Book) -> Result<Self, Failed> {
        let server = bind(book)?;
        let [endpoint, name] = [0, 1].map(|index| server.endpoints()[index].clone());
        tokio::spawn(server.serve());
        let (ledger, within) = (connect(&endpoint).await?, connect(&name).await?);
        let (sink, stream) = ledger.mirror().await?;
        let idle = Server::builder().service(LedgerServer::new(Keeper::new(idle)));
        let idle = Some(idle.bind("tcp://127.0.0.1:*").listen()?);
        Ok(Self { endpoint, ledger, within, sink, stream, idle })
    }

    async fn is_as_before(&mut self) -> Result<(), Failed> {
        for ledger in [&self.ledger, &self.within] {
            in_time(ledger.enter(1, Duration::ZERO)).await??;
        }
        in_time(self.sink.send("item".into())).await??;
        in_time(next(&mut self.stream)).await??;
        let ledger = in_time(connect(&self.endpoint)).await??;
        in_time(ledger.enter(1, Duration::ZERO)).await??;
        Ok(())
    }
}

async fn next(stream: &mut Streaming<bytes::Bytes>) -> Result<(), Failed> {
    stream.next().await.ok_or("the stream has ended")??;
    Ok(())
}

async fn in_time<T>(future: impl IntoFuture<Output = T>) -> Result<T, Failed> {
    Ok(tokio::time::timeout(HANGS, future).await.map_err(|_| "it hangs")?)
}

/// Waits until no other thread of this process runs. One that does may hold a lock, of tokio's or the allocator's, which would be locked
/// in a child for ever. Source: `proc_pid_stat(5)`.
fn until_others_sleep() -> std::io::Result<()> {
    let (own, mut looks) = (std::process::id().to_string(), 0);
    while looks < 3 {
        looks += 1;
        for task in std::fs::read_dir("/proc/self/task")? {
            let task = task?;
            let stat = std::fs::read_to_string(task.path().join("stat"))?;
            let sleeps = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'));
            if !sleeps && task.file_name() != own.as_str() {
                looks = 0;
            }
        }
    }
    Ok(())
}

fn wait_for(child: libc::pid_t) -> Result<(), Failed> {
    let mut status = 0;
    // SAFETY: the status is a variable that lives through the call.
    let found = unsafe { libc::waitpid(child, &raw mut status, 0) };
    if found == child && status == 0 { Ok(()) } else { Err(format!("a child has failed: {status:x}").into()) }
}

/// Checks what a child can do, and drops what it has of its parent.
fn in_child(
    mut parent: Parent,
    alone: LedgerClient,
    parents: &Runtime,
    book: std::io::Result<Book>,
) -> Result<(), Failed> {
    // By the parent's runtime of one thread, which is there; and without the other one, whose threads are not.
    let enter = parents.block_on(async { in_time(alone.enter(2, Duration::ZERO)).await });
    is_refused(enter?.err(), Outcome::NotSent)?;
    single()?.block_on(async {
        for ledger in [&parent.ledger, &parent.within] {
            is_refused(in_time(ledger.enter(2, Duration::ZERO)).await?.err(), Outcome::NotSent)?;
            is_refused(in_time(ledger.note(2)).await?.err(), Outcome::NotSent)?;
            is_refused(in_time(ledger.watch(1, 1)).await?.err(), Outcome::NotSent)?;
            is_refused(in_time(ledger.gather(2, stream::pending())).await?.err(), Outcome::NotSent)?;
        }
        let item = in_time(parent.stream.next()).await?.ok_or("the stream has ended")?;
        is_refused(item.err(), Outcome::MaybeExecuted)?;
        let sent = in_time(parent.sink.send("item".into())).await?;
        is_refused(sent.err(), Outcome::MaybeExecuted)?;
        let idle = parent.idle.take().ok_or("it is taken once")?;
        let error = in_time(idle.serve()).await?.err().ok_or("it serves")?;
        if !error.to_string().contains("forked") {
            return Err(error.into());
        }
        let endpoint = parent.endpoint.clone();
        drop((parent, alone));
        anew(&endpoint, book?).await
    })
}

/// Makes what a child may make.
async fn anew(endpoint: &str, book: Book) -> Result<(), Failed> {
    let server = bind(book)?;
    let [own, name] = [0, 1].map(|index| server.endpoints()[index].clone());
    let serving = tokio::spawn(server.serve());
    for endpoint in [endpoint, &own, &name] {
        let ledger = in_time(connect(endpoint)).await?.map_err(|error| format!("{endpoint}: {error}"))?;
        in_time(ledger.enter(3, Duration::ZERO)).await??;
        let mut stream = in_time(ledger.watch(10, 64)).await??;
        for _ in 0..10 {
            in_time(next(&mut stream)).await??;
        }
    }
    serving.abort();
    Ok(())
}

fn is_refused(status: Option<Status>, outcome: Outcome) -> Result<(), Failed> {
    let status = status.ok_or("it was sent")?;
    let found = (status.code(), status.outcome(), status.cause());
    if found == (Code::Unavailable, outcome, Some(Cause::Closed)) && status.message().contains("forked") {
        return Ok(());
    }
    Err(status.into())
}
