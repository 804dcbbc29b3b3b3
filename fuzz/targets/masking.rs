//! Masking: within any text an own secret and a well-known token on a line of their own are masked, and the text
//! around grows by the masks alone.

#![no_main]

use libfuzzer_sys::fuzz_target;

use ci_history::Masker;
use fuzz::linear;

const OWN: &str = "hunter2-is-mine";
const TOKEN: &str = "glpat-aB3dEfGhIjKlMnOpQr";

fuzz_target!(|text: &str| {
    let masker = Masker::new([OWN]);
    let around = format!("{text}{OWN}{text}");
    let masked = linear(around.len(), || masker.masked(&around));
    assert!(!masked.contains(OWN), "{masked}");
    assert!(masked.len() <= 8 * around.len());
    let around = format!("{text}\n{TOKEN}\n{text}");
    let masked = masker.masked(&around);
    assert!(!masked.contains(TOKEN), "{masked}");
});
