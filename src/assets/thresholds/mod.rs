//! Thresholds that were given: read, checked against the rules, and written into `thresholds.yml`.

mod apply;
mod choice;
mod given;
mod number;
mod problem;
mod table;
mod vocabulary;
mod yaml;

pub use self::given::Thresholds;
pub use self::problem::ThresholdProblems;
