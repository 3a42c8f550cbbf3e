//! A client without `async` and without a runtime in sight: calls are waited for, streams are iterators, or call a function.
//!
//! The server is any server, as that of `tests/output.rs`; the endpoint is the argument.

use std::env;
use std::sync::mpsc;

use blocking::counter::v1::CounterClient;
use zsvc::blocking::{Wait, connect, for_each, items, stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = env::args().nth(1).ok_or("name the endpoint of a server")?;
    let counter = CounterClient::new(connect(endpoint)?);

    // A call is a value; `wait` is to threads what `await` is to tasks.
    println!("add        {}", counter.add(1).wait()?);
    println!("add_all    {}", counter.add_all(stream([2, 3, 4])).wait()?);

    for number in items(counter.countdown(3).wait()?) {
        println!("countdown  {}", number?);
    }

    // A function that is called for each item, while this thread goes on.
    let (sender, sums) = mpsc::channel();
    let watched = for_each(counter.watch().wait()?, move |sum| drop(sender.send(sum)))?;
    println!("watch      {}", sums.recv()??);
    counter.add(90).wait()?;
    println!("watch      {}", sums.recv()??);
    drop(watched); // Cancels the call.

    // Clients may be shared between threads, and each thread waits for its own.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let counter = counter.clone();
            std::thread::spawn(move || counter.add(0).wait())
        })
        .collect();
    for thread in threads {
        println!("thread     {}", thread.join().map_err(|_| "a thread panicked")??);
    }
    Ok(())
}
