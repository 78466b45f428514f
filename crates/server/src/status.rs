//! `firesteel status`: asks a server, through gRPC's health protocol, whether it takes work and how fast.

use std::time::{Duration, Instant};

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
        ServingStatus::Serving => {
            println!("{}: serving (answered in {took:.1} ms)", args.remote);
            Ok(())
        }
        other => Err(Error::remote(format!("{}: {}", args.remote, other.as_str_name()))),
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
