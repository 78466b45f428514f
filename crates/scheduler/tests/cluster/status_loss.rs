//! Risk 4: an executor reports the end of a task once, and the report gets lost.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use scheduler::cluster::ClusterConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

use crate::harness::Setup;

/// Passes calls on to the scheduler, but loses the first reports about tasks.
#[derive(Clone)]
struct Lossy {
    scheduler: watch::Receiver<Option<Channel>>,
    to_lose: Arc<AtomicUsize>,
}

impl NamedService for Lossy {
    const NAME: &'static str = "ballista.protobuf.SchedulerGrpc";
}

impl Service<http::Request<Body>> for Lossy {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let report = request.uri().path().ends_with("/UpdateTaskStatus");
        let lose = |left: usize| left.checked_sub(1);
        let lost = report && self.to_lose.fetch_update(Ordering::AcqRel, Ordering::Acquire, lose).is_ok();
        let mut scheduler = self.scheduler.clone();
        Box::pin(async move {
            let unavailable = || Ok(Status::unavailable("lost on the way").into_http());
            if lost {
                return unavailable();
            }
            let Ok(channel) = scheduler.wait_for(Option::is_some).await.map(|c| c.clone()) else {
                return unavailable();
            };
            let Some(mut channel) = channel else {
                return unavailable();
            };
            if std::future::poll_fn(|cx| channel.poll_ready(cx)).await.is_err() {
                return unavailable();
            }
            channel.call(request).await.or_else(|_| unavailable())
        })
    }
}

async fn with_lost_reports(count: usize) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("port");
    let port = listener.local_addr().expect("port").port();
    let (connected, scheduler) = watch::channel(None);
    let to_lose = Arc::new(AtomicUsize::new(count));
    let proxy = Lossy { scheduler, to_lose: Arc::clone(&to_lose) };
    let serving = Server::builder().add_service(proxy).serve_with_incoming(TcpIncoming::from(listener));
    let mut proxies = JoinSet::new();
    proxies.spawn(serving);

    let config = ClusterConfig { advertise_port: Some(port), ..Setup::default().config };
    let fixture = Setup { config, ..Default::default() }.start().await;
    let url = format!("http://{}", fixture.cluster.address());
    let channel = Endpoint::from_shared(url).expect("url").connect().await.expect("scheduler");
    connected.send_replace(Some(channel));

    fixture.check("SELECT k, count(*), sum(v) FROM t GROUP BY k").await;
    assert_eq!(to_lose.load(Ordering::Acquire), 0, "reports were lost");
    fixture.check("SELECT * FROM t").await;
    fixture.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_report_does_not_hang_the_job() {
    with_lost_reports(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_lost_reports_do_not_hang_the_job() {
    with_lost_reports(5).await;
}
