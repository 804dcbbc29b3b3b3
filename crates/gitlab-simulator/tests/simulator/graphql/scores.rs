//! Scores, limits, and refusals before a query runs.
