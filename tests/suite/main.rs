//! The integration tests, as one binary.

mod http_page;
mod http_server;
mod http_serving;
mod metrics_docs;
mod metrics_exposition;
mod metrics_rows;
