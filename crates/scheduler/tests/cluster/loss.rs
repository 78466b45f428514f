//! Risk 2: executors that go, or seem to go, while they hold what others need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use scheduler::cluster::ExecutorInfo;
use scheduler::runner::Progress;

use crate::harness::{Fixture, Running, Setup, until};

/// One stage of four tasks on three executors of one core: two tasks end at once, two wait.
const HALF_GATED: &[&str] = &["a", "b", "c_gated", "d_gated"];

const SCAN: &str = "SELECT * FROM t";

fn done(progress: &Progress) -> usize {
    progress.stages.iter().map(|s| s.done).sum()
}

async fn half_done() -> (Fixture, Running) {
    let fixture = Setup { files: HALF_GATED.to_vec(), ..Default::default() }.start().await;
    let mut running = fixture.start(SCAN).await;
    running.reaches("half done", |p| done(p) == 2 && p.running_tasks == 2).await;
    (fixture, running)
}

/// The executor that has finished tasks of the last stage and does nothing now.
async fn idle(fixture: &Fixture) -> ExecutorInfo {
    let executors = fixture.cluster.executors().await;
    executors.into_iter().find(|e| e.busy == 0).expect("one has nothing left to do")
}

async fn removed(fixture: &Fixture, executor: &ExecutorInfo) {
    until("the executor to be given up", async || {
        fixture.cluster.executors().await.iter().all(|e| e.id != executor.id)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_finishing_part_of_the_last_stage() {
    let (fixture, running) = half_done().await;
    let victim = idle(&fixture).await;
    fixture.node(&victim.host).signal(Signal::SIGKILL);
    // Its tasks are run again while others of the same stage still run: the finished job's status
    // names two places for their partitions.
    removed(&fixture, &victim).await;
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(SCAN), fixture.expected(SCAN).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_just_before_the_job_ends() {
    let (fixture, running) = half_done().await;
    let victim = idle(&fixture).await;
    // Nobody has noticed when the job ends: its results are gone, and the job is run again.
    fixture.node(&victim.host).signal(Signal::SIGKILL);
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(SCAN), fixture.expected(SCAN).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn given_up_by_mistake_and_back_again() {
    let (fixture, running) = half_done().await;
    let victim = idle(&fixture).await;
    fixture.node(&victim.host).signal(Signal::SIGSTOP);
    removed(&fixture, &victim).await;
    // It serves its files again when the job ends: were they read too, rows would be repeated.
    fixture.node(&victim.host).signal(Signal::SIGCONT);
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(SCAN), fixture.expected(SCAN).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_with_running_tasks() {
    let (fixture, running) = half_done().await;
    let executors = fixture.cluster.executors().await;
    let victim = executors.into_iter().find(|e| e.busy > 0).expect("two are busy");
    fixture.node(&victim.host).signal(Signal::SIGKILL);
    removed(&fixture, &victim).await;
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(SCAN), fixture.expected(SCAN).await);
    fixture.settled().await;
}

/// The grouped side is complete and shuffled before the gated side has begun.
const JOIN: &str = "SELECT x.k, x.n, count(*) AS c \
     FROM (SELECT k, count(*) AS n FROM u GROUP BY k) x JOIN t ON t.k = x.k GROUP BY x.k, x.n";

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_stage_is_lost() {
    let files = vec!["a_gated", "b_gated"];
    let mut fixture = Setup { files, ..Default::default() }.start().await;
    let mut running = fixture.start(JOIN).await;
    running.reaches("a finished stage", |p| p.stages.iter().any(|s| s.finished)).await;
    running.reaches("waiting at the gate", |p| p.running_tasks == 2).await;
    // All that hold shuffled rows go, one after the other; new ones take their place.
    for _ in 0..3 {
        let victim = fixture.nodes.remove(0);
        let host = victim.host.clone();
        drop(victim);
        fixture.add_executor(1);
        until("the old one to go and the new one to come", async || {
            let executors = fixture.cluster.executors().await;
            executors.len() == 3 && executors.iter().all(|e| e.host != host)
        })
        .await;
    }
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(JOIN), fixture.expected(JOIN).await);
    fixture.settled().await;
}

/// The names that tasks gave their shuffle files, with the folders of the stages they are in.
fn shuffle_files(folder: &Path, found: &mut BTreeMap<String, BTreeSet<PathBuf>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            shuffle_files(&path, found);
            continue;
        }
        // Sorted files: `<stage>/<name>/data.arrow`; others: `<stage>/<partition>/data-<name>.arrow`.
        let given = match name.strip_prefix("data-").and_then(|n| n.strip_suffix(".arrow")) {
            Some(given) => given.to_owned(),
            None if name == "data.arrow" => folder.file_name().expect("a folder").to_string_lossy().into_owned(),
            None => continue,
        };
        let stage = folder.parent().expect("a stage's folder").to_owned();
        found.entry(given).or_default().insert(stage);
    }
}

/// A reader takes a local file of the right name for the one it was sent elsewhere for.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_shuffle_files_have_the_same_name() {
    let files = vec!["a_gated", "b_gated"];
    let fixture = Setup { files, ..Default::default() }.start().await;
    let mut running = fixture.start(JOIN).await;
    running.reaches("two finished stages", |p| p.stages.iter().filter(|s| s.finished).count() >= 2).await;
    let mut names = BTreeMap::new();
    shuffle_files(fixture.dir.path(), &mut names);
    assert!(names.len() >= 2 && names.values().all(|stages| stages.len() == 1), "{names:?}");
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(JOIN), fixture.expected(JOIN).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_shuffling() {
    let files = vec!["a", "b", "c", "d_gated"];
    let sql = "SELECT k, count(*), sum(v) FROM t GROUP BY k";
    let fixture = Setup { files, ..Default::default() }.start().await;
    let mut running = fixture.start(sql).await;
    running.reaches("three of four", |p| done(p) == 3).await;
    let victim = idle(&fixture).await;
    fixture.node(&victim.host).signal(Signal::SIGKILL);
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(sql), fixture.expected(sql).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_leave_it_finishes_its_tasks() {
    let files = vec!["a_gated", "b_gated", "c_gated"];
    let mut fixture = Setup { files, executors: 2, ..Default::default() }.start().await;
    let mut running = fixture.start(SCAN).await;
    running.reaches("two running", |p| p.running_tasks == 2).await;
    fixture.nodes[0].signal(Signal::SIGTERM);
    until("it to say that it leaves", async || {
        fixture.cluster.executors().await.iter().filter(|e| e.active).count() == 1
    })
    .await;
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(SCAN), fixture.expected(SCAN).await);
    assert_eq!(fixture.nodes[0].exit_code().await, Some(0));
    fixture.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn executors_may_come_while_a_job_runs() {
    let files = vec!["a_gated", "b_gated", "c"];
    let mut fixture = Setup { files, executors: 1, ..Default::default() }.start().await;
    let mut running = fixture.start(SCAN).await;
    running.reaches("one running", |p| p.running_tasks == 1).await;
    fixture.add_executor(1);
    running.reaches("two running", |p| p.running_tasks == 2).await;
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(SCAN), fixture.expected(SCAN).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_executor_goes_and_another_comes() {
    let files = vec!["a", "b_gated"];
    let mut fixture = Setup { files, executors: 1, ..Default::default() }.start().await;
    let mut running = fixture.start(SCAN).await;
    running.reaches("half done", |p| done(p) == 1 && p.running_tasks == 1).await;
    fixture.nodes.clear();
    until("nobody to be left", async || fixture.cluster.executors().await.is_empty()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    fixture.add_executor(1);
    fixture.open_gate();
    assert_eq!(running.rows().await.expect(SCAN), fixture.expected(SCAN).await);
}

/// Five stages; every kind of input that a stage can lose.
const DEEP: &str = "SELECT x.k, x.n, y.c, z.m \
     FROM (SELECT k, count(*) AS n FROM t GROUP BY k) x \
     JOIN (SELECT a.k, count(*) AS c FROM t a JOIN t b ON a.v = b.v GROUP BY a.k) y ON x.k = y.k \
     LEFT JOIN (SELECT k, max(v) AS m FROM u GROUP BY k) z ON z.k = x.k";

/// Executors die one after the other, at moments spread over the run; each is replaced.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment() {
    let mut fixture = Setup { vcores: 2, ..Default::default() }.start().await;
    let expected = fixture.expected(DEEP).await;
    for round in 0..8 {
        let running = fixture.start(DEEP).await;
        tokio::time::sleep(Duration::from_millis(25 * round)).await;
        let victim = fixture.nodes.remove(0);
        drop(victim);
        fixture.add_executor(2);
        assert_eq!(running.rows().await.expect(DEEP), expected, "round {round}");
    }
    fixture.settled().await;
}
