//! The cluster against what goes wrong: executors are child processes of the test, which are
//! killed, stopped and asked to leave at moments that gates in the input make certain.

mod cancel;
mod exactness;
mod gate;
mod harness;
mod limits;
mod loss;
mod rejoin;
mod status_loss;
