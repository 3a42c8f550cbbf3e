//! gRPC behind nginx, as a router of another kind: a process with nginx, and one of tonic for each worker.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use super::System;
use crate::Failure;
use crate::command::Serve;
use crate::process::Server;

/// Time that nginx may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Reports whether nginx is on this machine.
pub(super) fn is_here() -> bool {
    Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Forwards until the process ends, to as many workers, which end with it.
pub(super) fn serve(workers: usize) -> Result<(), Failure> {
    let servers = (0..workers).map(|_| Server::start(Serve::command(System::Tonic)?));
    let servers = servers.collect::<Result<Vec<_>, Failure>>()?;
    let workers: Vec<&str> = servers
        .iter()
        .map(|server| {
            let endpoint = server.listening.endpoint.as_str();
            endpoint.strip_prefix("http://").unwrap_or(endpoint)
        })
        .collect();
    // Free until nginx takes it: nginx can't be asked which port it was given.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let folder = env::temp_dir().join(format!("zsvc-bench-nginx-{}", process::id()));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("nginx.conf"), configuration(address, &workers))?;
    let mut nginx = start(&folder)?;
    // Waiting for a child would close it.
    let _input = nginx.stdin.take();
    let listens = wait_for(address, &mut nginx);
    // It has read everything by now.
    fs::remove_dir_all(&folder)?;
    listens?;
    super::announce(&format!("http://{address}"), None)?;
    let status = nginx.wait()?;
    Err(format!("nginx ended with {status}").into())
}

/// Starts nginx below a shell that stops it when standard input ends, as it does however this process ends.
fn start(folder: &Path) -> Result<Child, Failure> {
    // What runs in the background has no standard input of its own.
    let script = "exec 3<&0; nginx -p \"$1\" -c nginx.conf & n=$!; (read -r _ <&3; kill $n) & wait $n";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::null());
    Ok(command.spawn()?)
}

fn wait_for(address: SocketAddr, nginx: &mut Child) -> Result<(), Failure> {
    let until = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).is_err() {
        if let Some(status) = nginx.try_wait()? {
            return Err(format!("nginx ended with {status} before it listened").into());
        }
        if Instant::now() >= until {
            return Err("nginx did not listen in time".into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Returns what nginx is to do. Its limits are those of the measures: it counts the calls of a connection, closes it after so many, and
/// bounds the length of a message.
fn configuration(address: SocketAddr, workers: &[&str]) -> String {
    let upstream = format!("server {};", workers.join(";\nserver "));
    format!(
        "daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path bodies;
    upstream workers {{
        {upstream}
        keepalive 1024;
        keepalive_requests 1000000000;
        keepalive_time 1d;
    }}
    server {{
        listen {address} http2;
        http2_max_concurrent_streams 4096;
        keepalive_requests 1000000000;
        keepalive_time 1d;
        client_max_body_size 0;
        location / {{ grpc_pass grpc://workers; }}
    }}
}}
"
    )
}
