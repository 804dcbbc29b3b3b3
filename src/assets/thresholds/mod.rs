//! Thresholds that were given: read, checked against the rules, and written into `thresholds.yml`.

mod apply;
mod given;
mod number;
mod problem;
mod vocabulary;

pub use self::given::Thresholds;
pub use self::problem::ThresholdProblems;
