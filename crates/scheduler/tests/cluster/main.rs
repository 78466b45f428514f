//! The cluster against what goes wrong: executors are child processes of the test, which are
//! killed, stopped and asked to leave at moments that gates in the input make certain.

// `cfg(test)` tells clippy that what is not itself a test is a helper of tests.
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod exactness;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod loss;
#[cfg(test)]
mod rejoin;
#[cfg(test)]
mod status_loss;
