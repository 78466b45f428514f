//! What the scheduler asks of executors beside Ballista's protocol, as Flight actions.
//!
//! Executors report the end of a task once; when that message is lost the scheduler would wait for
//! ever. Its watchdog therefore asks what became of tasks, one line per task, and is answered with
//! one letter per task. A job that is over is forgotten by name: a cancellation of single tasks
//! misses those that have not begun yet.

use std::fmt::Write as _;

/// The action that asks about tasks.
pub const TASK_STATES: &str = "firesteel.task-states";

/// The action that ends a job's tasks and removes its files; its body is the job's identifier.
pub const FORGET_JOB: &str = "firesteel.forget-job";

/// The action that ends and removes all but some jobs; its body is [`KeptJobs`].
pub const KEEP_JOBS: &str = "firesteel.keep-jobs";

/// The jobs that a scheduler knows, told to an executor that has just registered: what it holds of
/// others was left by a scheduler that is gone, or given up while it could not be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptJobs {
    /// Jobs from this identifier on are kept whatever they are: they may just have been submitted.
    /// Identifiers are ordered by the time of their submission.
    pub from: String,
    /// Older jobs that are kept.
    pub jobs: Vec<String>,
}

impl KeptJobs {
    /// Whether a job is kept.
    pub fn keeps(&self, job: &str) -> bool {
        job >= self.from.as_str() || self.jobs.iter().any(|kept| kept == job)
    }

    /// The body of the action.
    pub fn encode(&self) -> String {
        let mut text = self.from.clone();
        for job in &self.jobs {
            text.push('\n');
            text.push_str(job);
        }
        text
    }

    /// Reads a body; `None` when it is malformed.
    pub fn decode(body: &[u8]) -> Option<KeptJobs> {
        let mut lines = std::str::from_utf8(body).ok()?.lines().map(str::to_owned);
        let from = lines.next()?;
        let jobs: Vec<String> = lines.collect();
        let sound = jobs.iter().chain([&from]).all(|job| is_job_id(job));
        sound.then_some(KeptJobs { from, jobs })
    }
}

/// Whether a text is a job identifier: it becomes part of a path.
pub fn is_job_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !text.is_empty() && text.chars().all(plain)
}

/// A task as executors know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskName {
    /// The job, an identifier without spaces.
    pub job: String,
    /// The stage within the job.
    pub stage: usize,
    /// The slot of the task within the stage.
    pub task: usize,
}

/// What an executor says of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// It is being run.
    Running,
    /// It ended and its end was reported once.
    Finished,
    /// It never arrived, or long ago.
    Unknown,
}

impl TaskState {
    fn letter(self) -> char {
        match self {
            TaskState::Running => 'R',
            TaskState::Finished => 'F',
            TaskState::Unknown => 'U',
        }
    }
}

/// The body of a question.
pub fn encode_question(tasks: &[TaskName]) -> String {
    let mut text = String::new();
    for t in tasks {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {} {}", t.job, t.stage, t.task);
    }
    text
}

/// Reads a question; `None` when it is malformed.
pub fn decode_question(body: &[u8]) -> Option<Vec<TaskName>> {
    let parse = |line: &str| {
        let mut words = line.split(' ');
        let name = TaskName {
            job: words.next()?.to_owned(),
            stage: words.next()?.parse().ok()?,
            task: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(name)
    };
    std::str::from_utf8(body).ok()?.lines().map(parse).collect()
}

/// The body of an answer, in the order of the question.
pub fn encode_answer(states: &[TaskState]) -> String {
    states.iter().map(|s| s.letter()).collect()
}

/// Reads an answer; `None` when it is malformed.
pub fn decode_answer(body: &[u8]) -> Option<Vec<TaskState>> {
    body.iter()
        .map(|letter| match letter {
            b'R' => Some(TaskState::Running),
            b'F' => Some(TaskState::Finished),
            b'U' => Some(TaskState::Unknown),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_survive_the_wire() {
        let tasks =
            vec![TaskName { job: "a-1".into(), stage: 3, task: 0 }, TaskName { job: "b".into(), stage: 1, task: 12 }];
        assert_eq!(decode_question(encode_question(&tasks).as_bytes()), Some(tasks));
        let states = [TaskState::Running, TaskState::Finished, TaskState::Unknown];
        assert_eq!(decode_answer(encode_answer(&states).as_bytes()), Some(states.to_vec()));
        for bad in ["a 1", "a 1 2 3", "a x 2"] {
            assert_eq!(decode_question(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(decode_answer(b"RX"), None);
    }

    #[test]
    fn jobs_are_kept_by_name_or_by_age() {
        let kept = KeptJobs { from: "5".into(), jobs: vec!["1".into(), "3".into()] };
        assert_eq!(KeptJobs::decode(kept.encode().as_bytes()), Some(kept.clone()));
        for (job, expect) in
            [("0", false), ("1", true), ("2", false), ("3", true), ("4", false), ("5", true), ("9", true)]
        {
            assert_eq!(kept.keeps(job), expect, "{job}");
        }
        for bad in ["", "../x", "a\n../b", "a\n\nb"] {
            assert_eq!(KeptJobs::decode(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
