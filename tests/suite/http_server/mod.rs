//! The server over real HTTP.

mod answers;
mod bounds;
mod lifetime;

use std::time::Duration;

use ci_history::JobRow;
use job_failure_exporter::http::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::http_serving::{Daemon, Serving};
use crate::metrics_rows::{failing, job, timeline};

async fn serving(jobs: Vec<JobRow>) -> Serving {
    serving_with(jobs, Limits::default()).await
}

async fn serving_with(jobs: Vec<JobRow>, limits: Limits) -> Serving {
    let daemon = Daemon {
        timelines: vec![timeline("group/app", "main", jobs)],
        ..Daemon::default()
    };
    Serving::start(daemon, limits).await
}

/// Limits with short times.
fn hasty() -> Limits {
    Limits {
        head_timeout: Duration::from_millis(200),
        request_timeout: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// A page that is larger than what the sockets' buffers take.
fn many_jobs() -> Vec<JobRow> {
    let long = "x".repeat(400);
    (0..800)
        .map(|n| job(&format!("{long}{n}"), failing()))
        .collect()
}

/// Asks for the plain metrics with next to no room for the answer, and reads its first bytes.
async fn slow_scrape(serving: &Serving) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(serving.address).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream
}
