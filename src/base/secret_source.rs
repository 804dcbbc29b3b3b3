//! A secret that may be replaced while the program runs.

use std::fmt;

use secrecy::SecretString;

/// Where a secret comes from. Its `Debug` shows no secret.
pub trait SecretSource<T = SecretString>: fmt::Debug + Send + Sync {
    /// Whether the secret may have been replaced since the last reading. Must return at once.
    fn has_changed(&self) -> bool;

    /// Reads the secret.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, without the secret.
    fn read(&self) -> Result<T, String>;
}
