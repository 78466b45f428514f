//! Executors outlive their scheduler.

use std::path::PathBuf;
use std::time::Duration;

use scheduler::cluster::{Cluster, ClusterConfig};

use crate::harness::{Fixture, PATIENCE, Setup, until};

const GROUPED: &str = "SELECT k, count(*), sum(v) FROM t GROUP BY k";

/// Ends the scheduler and starts another one at the same address after a while.
async fn restart(fixture: &mut Fixture, outage: Duration) {
    let listen = fixture.cluster.address();
    fixture.cluster.shutdown(PATIENCE).await;
    tokio::time::sleep(outage).await;
    let config = ClusterConfig { listen, ..Setup::default().config };
    fixture.cluster = Cluster::start(config).await.expect("the scheduler starts again");
}

#[tokio::test(flavor = "multi_thread")]
async fn executors_join_the_next_scheduler() {
    let mut fixture = Setup { executors: 2, ..Default::default() }.start().await;
    fixture.check(GROUPED).await;
    // Executors give up a scheduler that does not answer for five seconds.
    restart(&mut fixture, Duration::from_secs(8)).await;
    assert!(fixture.cluster.wait_for_executors(2, PATIENCE).await);
    fixture.check(GROUPED).await;
    fixture.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_last_scheduler_left_is_removed() {
    let mut fixture = Setup { executors: 1, ..Default::default() }.start().await;
    let executor = fixture.cluster.executors().await.remove(0).id;
    let shuffle: PathBuf = fixture.dir.path().join(format!("work/executor-{executor}/shuffle"));
    let left = shuffle.join("019aabc0-1111-7000-8000-000000000000");
    std::fs::create_dir_all(left.join("1/0")).expect("a folder");
    restart(&mut fixture, Duration::ZERO).await;
    assert!(fixture.cluster.wait_for_executors(1, PATIENCE).await);
    until("the folder of a forgotten job to go", async || !left.exists()).await;
    fixture.check(GROUPED).await;
}
