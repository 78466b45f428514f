//! Cancellation at every moment of a job's life leaves nothing behind.

use futures::StreamExt;

use crate::harness::{Fixture, Setup, until};

const SQL: &str = "SELECT k, count(*) FROM t GROUP BY k";

async fn gated() -> Fixture {
    Setup { files: vec!["a", "b_gated", "c_gated"], executors: 2, ..Default::default() }.start().await
}

/// The cluster is as it was, and answers.
async fn unharmed(fixture: &Fixture) {
    fixture.settled().await;
    fixture.open_gate();
    fixture.check(SQL).await;
    fixture.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_while_queued_or_planned() {
    let fixture = gated().await;
    for pauses in 0..20 {
        let mut running = fixture.start(SQL).await;
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
        running.cancel.cancel();
        let error = running.stream.next().await.expect("an end").expect_err("cancelled");
        assert!(error.to_string().contains("OPERATION_CANCELED"), "{error}");
    }
    unharmed(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_while_running() {
    let fixture = gated().await;
    let mut running = fixture.start(SQL).await;
    running.reaches("two running", |p| p.running_tasks == 2).await;
    running.cancel.cancel();
    running.stream.next().await.expect("an end").expect_err("cancelled");
    unharmed(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_at_any_time() {
    let fixture = gated().await;
    for pauses in 0..20 {
        let running = fixture.start(SQL).await;
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
        drop(running);
    }
    let mut running = fixture.start(SQL).await;
    running.reaches("two running", |p| p.running_tasks == 2).await;
    drop(running);
    unharmed(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_or_dropped_when_finished() {
    let fixture = gated().await;
    fixture.open_gate();
    let mut running = fixture.start(SQL).await;
    until("the job to end", async || fixture.cluster.running_jobs() == 0).await;
    running.cancel.cancel();
    // Either the end of the job or the cancellation came first; both are an answer.
    let _ = running.stream.next().await;
    drop(running);
    let mut running = fixture.start("SELECT * FROM t").await;
    running.stream.next().await.expect("a batch").expect("a batch");
    drop(running);
    unharmed(&fixture).await;
}
