//! What this program was built from, as `build.rs` found it.

/// The crate's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Commit of the sources; `unknown` if neither the checkout nor the environment of the build told it.
pub const REVISION: &str = env!("BUILD_REVISION");

/// Version, commit, its date, platform and compiler, for `--version`.
pub const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nrevision: ",
    env!("BUILD_REVISION"),
    "\ncommit date: ",
    env!("BUILD_COMMIT_DATE"),
    "\ntarget: ",
    env!("BUILD_TARGET"),
    "\nrustc: ",
    env!("BUILD_RUSTC_VERSION"),
);
