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
}
