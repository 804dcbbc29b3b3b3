//! The order of a list: a column and a direction, as URLs name them.

use std::cmp::Ordering;
use std::fmt::Debug;

/// The columns of a list.
pub trait Column: Copy + Eq + Debug + 'static {
    /// All columns, in the order of the table.
    const ALL: &'static [Self];

    /// The value of `sort`.
    fn key(self) -> &'static str;

    /// The heading.
    fn words(self) -> &'static str;

    /// Whether the highest value comes first, unless the URL says otherwise.
    fn descends(self) -> bool;
}

/// The order of a list. Rows without a value come last in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sorting<C> {
    /// The column that comes first.
    pub column: C,
    /// Whether the highest value comes first.
    pub descending: bool,
}

impl<C: Column> Sorting<C> {
    /// By this column, in its own direction.
    pub fn by(column: C) -> Self {
        Self {
            column,
            descending: column.descends(),
        }
    }

    /// What a click on a column's heading leads to.
    pub(super) fn clicked(self, column: C) -> Self {
        if self.column == column {
            Self {
                column,
                descending: !self.descending,
            }
        } else {
            Self::by(column)
        }
    }

    /// The value of `order`.
    pub(super) fn direction(self) -> &'static str {
        if self.descending { "desc" } else { "asc" }
    }

    /// Compares values in the direction of the order.
    pub(super) fn compare<T: Ord + ?Sized>(self, a: &T, b: &T) -> Ordering {
        if self.descending { b.cmp(a) } else { a.cmp(b) }
    }

    /// The same for values that may be missing.
    pub(super) fn compare_known<T: Ord>(self, a: Option<T>, b: Option<T>) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) => self.compare(&a, &b),
            (a, b) => a.is_none().cmp(&b.is_none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::job_column::JobColumn;
    use super::*;

    #[test]
    fn unknown_values_come_last_in_both_directions() {
        let up = Sorting::by(JobColumn::Team);
        let down = up.clicked(JobColumn::Team);
        assert_eq!((up.direction(), down.direction()), ("asc", "desc"));
        let sorted = |order: Sorting<JobColumn>| {
            let mut values = [None, Some(1), Some(2)];
            values.sort_by(|a, b| order.compare_known(*a, *b));
            values
        };
        assert_eq!(sorted(up), [Some(1), Some(2), None]);
        assert_eq!(sorted(down), [Some(2), Some(1), None]);
        let streak = down.clicked(JobColumn::Streak);
        assert!(streak.descending);
    }
}
