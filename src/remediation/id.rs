//! Ids of GitLab in JSON from outside: `7.0` is a whole number, too.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A whole number that is not negative, however JSON writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(pub(super) u64);

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a whole number from 0 on")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Id, E> {
        Ok(Id(number))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, and in the range of u64"
    )]
    fn visit_f64<E: Error>(self, number: f64) -> Result<Id, E> {
        // 2^64.
        if number.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&number) {
            Ok(Id(number as u64))
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_u64(IdVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_ids_and_nothing_else_is() {
        for (text, id) in [
            ("7", 7),
            ("7.0", 7),
            ("7e2", 700),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(serde_json::from_str::<Id>(text).unwrap(), Id(id), "{text}");
        }
        for text in ["7.5", "-1", "-1.0", "1e20", "\"7\"", "null", "[7]"] {
            let error = serde_json::from_str::<Id>(text).unwrap_err().to_string();
            assert!(
                error.contains("a whole number from 0 on"),
                "{text}: {error}"
            );
        }
    }
}
