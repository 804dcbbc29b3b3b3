//! All integration tests, as one binary: linking many would take minutes.

mod counting;
