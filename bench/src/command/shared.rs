//! `shared`: echoes a list of structs whose type is generated in this crate, comes from a crate that shares it, or stands in the place
//! of one that is generated here. Server and client are in this process, without a socket, so that encoding is most of the time.

use std::time::Instant;

use clap::Args;
use tokio::runtime::Builder;

use crate::Failure;
use crate::statistics::{median, spread};

/// Compares types of this crate with those of another.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Number of structs in a call.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    structs: u32,
    /// Number of rounds, in each of which every kind of type has its turn.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Calls of a round, for each kind of type.
const CALLS: u32 = 20;

/// Declares a module of generated code, and a function that measures it. The types of `money.v1` are in `$types`.
macro_rules! kind {
    ($name:ident, $file:literal, $types:path) => {
        mod $name {
            use std::time::Instant;

            include!(concat!(env!("OUT_DIR"), $file));

            use shared::v1::{Books, BooksClient};
            use zsvc::{Context, Status};
            use $types::{Amount, Currency};

            use crate::Failure;

            struct Same;

            impl Books for Same {
                async fn echo(&self, _: &Context, amounts: Vec<Amount>) -> Result<Vec<Amount>, Status> {
                    Ok(amounts)
                }
            }

            /// Returns how long the calls of a round take, in milliseconds for each.
            pub(super) async fn round(structs: u32) -> Result<f64, Failure> {
                let books = BooksClient::local(Same);
                let amount = |units| Amount { units, scale: 2, currency: Currency::Franc };
                let amounts: Vec<Amount> = (0..i64::from(structs)).map(amount).collect();
                let mut seconds = 0.0;
                // The first call is not counted.
                for call in 0..=super::CALLS {
                    let sent = amounts.clone();
                    let start = Instant::now();
                    let answer = books.echo(sent).await?;
                    seconds += if call == 0 { 0.0 } else { start.elapsed().as_secs_f64() };
                    if answer != amounts {
                        return Err("the answer is another".into());
                    }
                }
                Ok(seconds / f64::from(super::CALLS) * 1e3)
            }
        }
    };
}

kind!(own, "/own/mod.rs", super::own::money::v1);
kind!(imported, "/imported/mod.rs", bank_types::money::v1);
kind!(replaced, "/replaced/mod.rs", bank_types::money::v1);

/// Takes the rounds, and prints a line for each kind of type.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let start = Instant::now();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..arguments.rounds {
        times[0].push(runtime.block_on(own::round(arguments.structs))?);
        times[1].push(runtime.block_on(imported::round(arguments.structs))?);
        times[2].push(runtime.block_on(replaced::round(arguments.structs))?);
    }
    let names = ["generated here", "of an imported package", "in the place of a generated one"];
    let own = median(&times[0]);
    for (name, times) in names.iter().zip(&times) {
        let (time, spread) = (median(times), spread(times));
        println!("{name}: {time:.3} ms a call, {:.2} times the first; spread {spread:.2}", time / own);
    }
    println!("{} structs in a call; took {:.0?}", arguments.structs, start.elapsed());
    Ok(())
}
