//! Regular expressions of the configuration: each of a bounded size, and all together.

use std::cell::Cell;

use regex::{Error, Regex, RegexBuilder};

/// Largest compiled form of one expression, in bytes. `[\w-]{1,63}` takes nearly as much.
const LARGEST: usize = 4 << 20;

/// Largest cache of one expression for searching.
const LARGEST_CACHE: usize = 1 << 20;

/// Largest compiled form of all expressions together. Each counts as the smallest power of two that it fits in.
const LARGEST_TOGETHER: usize = 16 << 20;

/// The first size that is tried.
const SMALLEST: usize = 8 << 10;

/// What the expressions of a configuration may still take.
#[derive(Debug)]
pub(super) struct RegexBudget {
    left: Cell<usize>,
}

impl Default for RegexBudget {
    fn default() -> Self {
        Self {
            left: Cell::new(LARGEST_TOGETHER),
        }
    }
}

impl RegexBudget {
    /// Compiles an expression, unless an earlier one was beyond the budget. The error says in one line what is wrong.
    pub(super) fn compile(&self, text: &str) -> Result<Regex, String> {
        let mut size = SMALLEST;
        loop {
            if size > self.left.get() {
                // The others are refused at once.
                self.left.set(0);
                return Err(format!(
                    "all regular expressions of the configuration together compile to more than {} MiB: give fewer or \
                     simpler ones",
                    LARGEST_TOGETHER >> 20
                ));
            }
            let mut builder = RegexBuilder::new(text);
            match builder
                .size_limit(size)
                .dfa_size_limit(LARGEST_CACHE)
                .build()
            {
                Ok(regex) => {
                    self.left.set(self.left.get() - size);
                    return Ok(regex);
                }
                Err(Error::CompiledTooBig(_)) if size < LARGEST => size *= 2,
                Err(Error::CompiledTooBig(_)) => {
                    return Err(format!(
                        "it compiles to more than {} MiB: repeat less, or use `[0-9]` and `[a-z]` in place of `\\d` and `\\w`",
                        LARGEST >> 20
                    ));
                }
                Err(error) => return Err(in_one_line(&error)),
            }
        }
    }
}

/// Checks that a text is an expression, of whatever size.
pub(super) fn check(text: &str) -> Result<(), String> {
    match RegexBuilder::new(text).size_limit(SMALLEST).build() {
        Ok(_) | Err(Error::CompiledTooBig(_)) => Ok(()),
        Err(error) => Err(in_one_line(&error)),
    }
}

fn in_one_line(error: &Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_expressions_take_little_of_the_budget() {
        let budget = RegexBudget::default();
        for text in [
            ".*",
            r"release/\d+\.\d+(-rc\d+)?",
            r"[\w-]{1,63}",
            "(?i)deploy.*(prod|staging)",
        ] {
            budget.compile(text).unwrap();
        }
        for number in 0..400 {
            budget
                .compile(&format!(r"^release-{number}\.\d+$"))
                .unwrap();
        }
    }

    #[test]
    fn an_expression_that_compiles_to_much_is_refused_and_costs_nothing() {
        let budget = RegexBudget::default();
        for text in [r"\w{400}", r"(a{400}){400}"] {
            let error = budget.compile(text).unwrap_err();
            assert!(
                error.starts_with("it compiles to more than 4 MiB"),
                "{error}"
            );
        }
        assert_eq!(budget.left.get(), LARGEST_TOGETHER);
    }

    #[test]
    fn large_expressions_are_refused_once_all_together_take_too_much() {
        let budget = RegexBudget::default();
        let compile = |number| budget.compile(&format!(r"\w{{20}}x{number}"));
        let fits = (0..1000)
            .take_while(|number| compile(*number).is_ok())
            .count();
        assert!((10..200).contains(&fits), "{fits}");
        let error = compile(0).unwrap_err();
        assert!(
            error.contains("together compile to more than 16 MiB"),
            "{error}"
        );
        assert!(budget.compile("main").is_err(), "no more is compiled");
    }
}
