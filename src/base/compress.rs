//! Which documents are compressed.

/// Which documents are compressed. Compressed ones are read in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compress {
    /// Large ones.
    #[default]
    Auto,
    /// None, so that earlier versions can read them.
    Never,
}
