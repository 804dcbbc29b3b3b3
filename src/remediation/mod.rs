//! Brings failed jobs back: decides, acts within bounds, and keeps a record of both.
//!
//! ```text
//! rules on what was counted  --.
//! Alertmanager, HTTP, command --> Ask -> guard (pure) -> executor -> GitLab
//!                                           ^               |
//!                                           '--- ledger <---'   saved before and after each action
//! ```
//!
//! Nothing else in the exporter changes anything in GitLab.

mod act;
mod alerts;
mod ask;
mod callers;
mod decisions;
mod desk;
mod evidence;
mod executor;
mod facts;
mod follow;
mod guard;
mod id;
mod ledger;
mod ledger_document;
mod ledger_store;
mod listed;
mod outage;
mod reason;
mod request;
mod view;

pub use alerts::wishes_of;
pub use ask::{Ask, FailedJob, Origin};
pub use callers::Callers;
pub use decisions::{Decided, Verdict};
pub use evidence::{Evidence, PastFailure, Verdicts};
pub use executor::{Executor, Parts};
pub use facts::{Condition, Failures, Observer, Result as ActionResult};
pub use ledger::{Action, Circuit, Halt, JobName, Ledger, Progress};
pub use outage::Recent;
pub use reason::Reason;
pub use request::{Answer, Refusal, Wish};
pub use view::{ActionView, AnswerView, RemediationsView, RetryRequest};
