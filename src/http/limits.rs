//! Bounds on the resources of clients.

use std::time::Duration;

/// Bounds on the resources of clients.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time. Idle ones are closed for further ones, which else wait in the listener's queue.
    pub connections: usize,
    /// Connections beyond these. Only scrapes and probes are answered on them.
    pub reserved_connections: usize,
    /// Bytes of responses that are kept until their clients read them. Others are asked to come again.
    pub held_bytes: usize,
    /// Metrics pages that are sent at a time to slow clients.
    pub pages: usize,
    /// Time from opening a connection to its first request.
    pub first_head_timeout: Duration,
    /// Time for the head of a request to arrive, and time that a connection may be idle.
    pub head_timeout: Duration,
    /// Time from the head of a request to the end of its response.
    pub request_timeout: Duration,
    /// Time for which a client may read nothing of its response.
    pub stall_timeout: Duration,
    /// Time from which on a running request may be cut in favour of another client.
    pub slow_after: Duration,
    /// Bytes of the head of a request.
    pub head_bytes: usize,
    /// Time for running requests to end once the shutdown has begun.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            reserved_connections: 32,
            held_bytes: 64 << 20,
            pages: 16,
            first_head_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_mins(2),
            stall_timeout: Duration::from_secs(30),
            slow_after: Duration::from_secs(15),
            head_bytes: 32 * 1024,
            drain: Duration::from_secs(10),
        }
    }
}
