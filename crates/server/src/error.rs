//! What can end the program, sorted by whose fault it is: that chooses the exit code.

use std::fmt;
use std::path::Path;

/// Shorthand used throughout the binary.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A reason to stop, told to the user in one line.
#[derive(Debug)]
pub enum Error {
    /// The command line, the environment or the configuration file is wrong: exit code 2.
    Usage(String),
    /// The machine refused something: a port, a folder, a process.
    System(String),
    /// A peer did not answer, or answered with an error.
    Remote(String),
    /// The engine or a generator failed.
    Data(String),
}

impl Error {
    pub fn usage(message: impl Into<String>) -> Self {
        Error::Usage(message.into())
    }

    pub fn system(message: impl Into<String>) -> Self {
        Error::System(message.into())
    }

    pub fn remote(message: impl Into<String>) -> Self {
        Error::Remote(message.into())
    }

    pub fn data(message: impl Into<String>) -> Self {
        Error::Data(message.into())
    }

    /// A failed file operation: `verb` completes "cannot …".
    pub fn io(verb: &str, path: &Path, error: std::io::Error) -> Self {
        Error::System(format!("cannot {verb} {}: {error}", path.display()))
    }

    /// The exit code of the process.
    pub fn code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            Error::System(_) | Error::Remote(_) | Error::Data(_) => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(m) | Error::System(m) | Error::Remote(m) | Error::Data(m) => f.write_str(m),
        }
    }
}

impl std::error::Error for Error {}
