//! Shows what is being asked, on a terminal.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

/// Time between two steps of the sign that moves.
const TICK: Duration = Duration::from_millis(120);

/// A line on a terminal, until it is dropped. Elsewhere nothing is shown.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn start() -> Self {
        let bar = if stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
            bar
        } else {
            ProgressBar::hidden()
        };
        Self(bar)
    }

    /// What is being asked now.
    pub(super) fn says(&self, what: &str) {
        self.0.set_message(format!("asking for {what}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
