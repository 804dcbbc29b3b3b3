//! Enums whose variants are words: label values, values of keys.

use strum::VariantArray;

/// An enum that derives [`strum::VariantArray`] and [`strum::IntoStaticStr`].
pub trait Label: VariantArray + Into<&'static str> + Copy + 'static {
    /// Every variant, so that label values can start at zero.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// The variant's word.
    fn as_str(self) -> &'static str {
        self.into()
    }
}

impl<T: VariantArray + Into<&'static str> + Copy + 'static> Label for T {}
