//! Sessions, catalog, commands, the two runners, placement, results; embeds Ballista's scheduler.

pub mod cluster;
pub mod runner;
