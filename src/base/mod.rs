//! Leaves that know nothing of the program.

pub mod human;
