//! What Prometheus sees: the families, their rendered text and the exporter's own metrics.
//!
//! ```text
//! TimelineRows -> families (text) -> fragments (deflated ahead) -> Exposition -> Snapshot -> Page
//! ```
//!
//! Text is rendered when a timeline changes, not when it is scraped: a scrape joins what is there.

mod catalog;
mod exposition;
mod families;
mod format;
mod fragments;
mod history;
mod limits;
mod options;
mod own_figures;
mod page;
mod pieces;
mod polls;
mod remediation;
mod render;
mod render_cache;
mod request_rates;
mod rounds;
mod schedules;
mod telemetry;
mod text;
mod webhooks;

pub use catalog::{Described, Kind};
pub use exposition::{Exposition, RenderedTimeline};
pub use families::families;
pub use format::Format;
pub use history::{PastSample, label_text, past_families, samples_of_jobs, samples_of_pipelines};
pub use limits::{HttpLimit, Limit};
pub use options::ExpositionOptions;
pub use own_figures::OwnFigures;
pub use page::{Page, Snapshot};
pub use pieces::{Pieces, is_divisible};
pub use polls::ProjectPolls;
pub use remediation::Pause;
pub use schedules::ScheduleRow;
pub use telemetry::{Build, LogRead, Telemetry};
pub use webhooks::WebhookResult;
