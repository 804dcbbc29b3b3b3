//! Settings of benches and soaks. `make` hands on all of them, and those that nobody set are empty.

use std::str::FromStr;

/// A variable of the environment that is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The same as a value; `otherwise` without it.
pub fn setting<T: FromStr>(name: &str, otherwise: T) -> T {
    let Some(text) = variable(name) else {
        return otherwise;
    };
    let Ok(value) = text.parse() else {
        panic!("{name}: found {text:?}, wanted a number");
    };
    value
}
