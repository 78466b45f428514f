//! `firesteel status`: asks a server, through gRPC's health protocol, whether it takes work and how fast.

use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::cli::StatusArgs;
use crate::error::{Error, Result};

/// What is asked about: the service every client uses.
const SERVICE: &str = "spark.connect.SparkConnectService";

/// A server that takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Prints one line for a server that takes work; any other outcome is an error.
pub async fn run(args: &StatusArgs) -> Result<()> {
    let mut client = connect(&args.remote).await?;
    let asked = Instant::now();
    let answer = client
        .check(HealthCheckRequest { service: SERVICE.to_owned() })
        .await
        .map_err(|e| Error::remote(format!("{}: {}", args.remote, e.message())))?;
    let took = asked.elapsed().as_secs_f64() * 1e3;
    match answer.into_inner().status() {
        ServingStatus::Serving => println!("{}: serving (answered in {took:.1} ms)", args.remote),
        other => return Err(Error::remote(format!("{}: {}", args.remote, other.as_str_name()))),
    }
    match &args.health {
        Some(health) => print_executors(health).await,
        None => Ok(()),
    }
}

async fn print_executors(health: &str) -> Result<()> {
    let failed = |e: String| Error::remote(format!("{health}: {e}"));
    let body = tokio::time::timeout(PATIENCE, get(health, "/status"))
        .await
        .map_err(|_| failed("no answer in time".to_owned()))?
        .map_err(|e| failed(e.to_string()))?;
    let status: Value = serde_json::from_str(&body).map_err(|e| failed(e.to_string()))?;
    let executors = status["executors"].as_array().map_or(&[][..], Vec::as_slice);
    println!("{} executors, {} running jobs", executors.len(), status["running_jobs"]);
    for executor in executors {
        let address = executor["address"].as_str().unwrap_or_default();
        let state = if executor["active"] == true { "active" } else { "leaving" };
        println!("  {address:<24} {state:<8} {} of {} cores busy", executor["busy"], executor["vcores"]);
    }
    Ok(())
}

/// The body of an HTTP answer; one request on a connection that is closed after it.
async fn get(address: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(io::Error::other("no health port answers there")),
    }
}

async fn connect(remote: &str) -> Result<HealthClient<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{remote}"))
        .map_err(|e| Error::usage(format!("--remote {remote}: {e}")))?
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE);
    let channel = endpoint.connect().await.map_err(|_| Error::remote(format!("{remote}: nothing answers there")))?;
    Ok(HealthClient::new(channel))
}
