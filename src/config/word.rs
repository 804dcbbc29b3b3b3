//! Enums whose variants are words of the configuration.

/// A value that is written as one of a few words.
pub trait Word: Copy + 'static {
    /// All values, in the order of the docs.
    const ALL: &'static [Self];

    /// The word of the configuration.
    fn word(self) -> &'static str;

    /// All words, in the order of the docs.
    fn words() -> Vec<&'static str> {
        Self::ALL.iter().map(|value| value.word()).collect()
    }

    /// The value that a word stands for.
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|value| value.word() == word).copied()
    }
}

/// Gives an enum its words; one that lacks a variant does not compile.
macro_rules! words {
    ($type:ty { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $crate::config::word::Word for $type {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}
pub(super) use words;
