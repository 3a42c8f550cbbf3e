//! Idle connections that have each made one call.
//!
//! A process can have 1,023 libzmq sockets, but one DEALER can have many connections, each of which a server treats
//! as a client. So the connections to zsvc are made by a DEALER, too, with a message encoded by hand according to
//! `docs/protocol.md`.

use super::{System, bare, tarpc, tonic};
use crate::Failure;
use crate::measure::Client;
use bytes::Bytes;

/// Opens `count` connections, makes one call over each, reports that, and holds the connections until this process is
/// killed.
pub(crate) fn hold(system: System, endpoint: &str, count: usize) -> Result<(), Failure> {
    match system {
        System::Bare => held(bare::idle(endpoint, count, &PAYLOAD)?),
        System::Zsvc
        | System::ZsvcCurrent
        | System::ZsvcLibzmq
        | System::ZsvcBareServer
        | System::ZsvcRouted
        | System::ZsvcRouted4 => held(bare::idle(endpoint, count, &echo_batch())?),
        System::Tonic | System::TonicCurrent => many::<tonic::TonicClient>(system, endpoint, count),
        System::Tarpc | System::TarpcCurrent => many::<tarpc::TarpcClient>(system, endpoint, count),
        _ => Err("idle connections of this system are not measured".into()),
    }
}

const PAYLOAD: [u8; 64] = [7; 64];

/// Returns a batch with one call of `echo`.
pub(crate) fn echo_batch() -> Vec<u8> {
    const METHOD: &[u8] = b"bench.v1.Echo/echo";
    let body = [&[0x91, 0xc4, 64], &PAYLOAD[..]].concat();
    let call = [&[0x01, 0x94, 0x01, 0x01][..], &[0xa0 + METHOD.len().to_le_bytes()[0]], METHOD].concat();
    [&call[..], &[0xc4, body.len().to_le_bytes()[0]], &body].concat()
}

fn many<C: Client>(system: System, endpoint: &str, count: usize) -> Result<(), Failure> {
    let runtime = system.runtime()?;
    let clients = runtime.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut client = C::connect(endpoint).await?;
            client.echo(Bytes::from_static(&PAYLOAD)).await?;
            clients.push(client);
        }
        Ok::<_, Failure>(clients)
    })?;
    // Connections are closed by tasks of the runtime, which keeps running meanwhile.
    runtime.block_on(async { tokio::task::spawn_blocking(|| held(clients)).await? })
}

fn held<T>(connections: T) -> Result<(), Failure> {
    println!("true");
    // Standard input ends when the parent process ends.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    drop(connections);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_the_form_of_the_protocol() {
        let batch = echo_batch();
        assert_eq!(batch[..5], [0x01, 0x94, 0x01, 0x01, 0xb2]);
        assert_eq!(&batch[5..23], b"bench.v1.Echo/echo");
        assert_eq!(batch[23..28], [0xc4, 67, 0x91, 0xc4, 64]);
        assert_eq!(batch.len(), 28 + 64);
    }
}
