//! What a family of metrics is, and how its rows become text.

use strum::{IntoStaticStr, VariantArray};

use super::fragments::Deflater;
use super::text::Lines;

/// Type of a family, as the exposition format names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Goes up; ends in `_total`.
    Counter,
    /// Distribution over buckets.
    Histogram,
}

/// A family as its HELP and TYPE lines and `docs/metrics.md` describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// Name, with the unit as its suffix.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Text of the HELP line.
    pub help: &'static str,
    /// Names of all labels, in the order of the text.
    pub labels: &'static [&'static str],
}

/// A family and the function that makes its samples.
pub(super) struct Family<Emit> {
    pub(super) described: Described,
    pub(super) emit: Emit,
}

/// Makes the samples of one row.
pub(super) type OfRow<Row> = fn(&Row, &mut Lines<'_>);

/// Renders rows with their base labels, a piece for each family. Returns the number of samples.
pub(super) fn push_families<Row>(
    deflater: &mut Deflater,
    families: &[Family<OfRow<Row>>],
    rows: &[(&Row, String)],
    has: impl Fn(&Row, &Described) -> bool,
) -> u64 {
    let mut count = 0;
    let mut text = String::new();
    for family in families {
        text.clear();
        for (row, base) in rows.iter().filter(|(row, _)| has(row, &family.described)) {
            let mut lines = Lines {
                out: &mut text,
                count: &mut count,
                name: family.described.name,
                base,
            };
            (family.emit)(row, &mut lines);
        }
        deflater.push(&text);
    }
    count
}
