//! `init`: a configuration with the rules, routes and scrape configuration that fit it.

mod answers;
mod args;
mod files;

use std::io::BufRead;

use self::answers::{Answers, Asker};
pub use self::args::InitArgs;
use super::assets::report;
use super::common::Console;
use crate::assets::Directory;

/// Runs `init`. Asks `input` for what is missing; without it, that is an error.
pub fn run(
    args: InitArgs,
    input: Option<&mut dyn BufRead>,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let (target, force) = (args.target.clone(), args.force);
    let asker = input.map(|input| Asker {
        input,
        out: &mut *console.err,
    });
    let answers = Answers::complete(args, asker)?;
    let made = files::make(&answers, &target)?;
    let directory = Directory::open(&answers.to)?;
    let written = directory.write(&made, true, force)?;
    report(&written.files, &written.obsolete, console)?;
    writeln!(console.out, "\n{}", files::next_steps(&answers))?;
    Ok(())
}
