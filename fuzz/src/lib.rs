//! What the targets share.

use rustix::time::{ClockId, clock_gettime};

/// Work of any size may take so long, in nanoseconds of processor time.
const CONSTANT: u128 = 250_000_000;

/// And so long for each byte of its input. Work that takes the square of 64 KiB takes much longer.
const FOR_EACH_BYTE: u128 = 40_000;

/// Does the work, and asserts that its time grows no faster than its input.
pub fn linear<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let started = processor_time();
    let result = work();
    let took = processor_time() - started;
    let allowed = CONSTANT + FOR_EACH_BYTE * bytes as u128;
    assert!(took <= allowed, "{bytes} bytes took {took} ns of {allowed}");
    result
}

fn processor_time() -> u128 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u128::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u128::try_from(time.tv_nsec).unwrap_or(0)
}
