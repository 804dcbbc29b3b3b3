//! Waits for a signal to end the program.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a program in an orderly way.
#[derive(Debug)]
pub struct Interrupts {
    signals: [Signal; 3],
}

impl Interrupts {
    /// From now on these signals end the program only through [`Interrupts::wait`].
    ///
    /// # Errors
    ///
    /// If the system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            signals: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ],
        })
    }

    /// Waits for Ctrl-C, SIGTERM, or the terminal to go away.
    pub async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
