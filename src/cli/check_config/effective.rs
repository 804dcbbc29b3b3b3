//! The configuration in force as YAML, with the origin of each value.

use std::io::{self, Write};

use crate::config::Setting;

const HEAD: &str = "\
# The configuration in force, without secrets, and where each value comes from: a line of the file, a flag,
# the preset of `counting`, or the default. Relative paths start at the directory of the file.";

/// Writes all settings, in the order of the docs. A section without any value stays out: an empty `store.s3` would be a
/// mistake.
pub(super) fn write(settings: &[Setting], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{HEAD}")?;
    let mut open: Vec<&str> = Vec::new();
    let mut top = "";
    for setting in settings {
        let path = segments(&setting.key);
        if path[0] != top {
            writeln!(out)?;
            top = path[0];
        }
        let (name, sections) = path.split_last().unwrap_or((&"", &[]));
        let common = open.iter().zip(sections).take_while(|(a, b)| a == b);
        let common = common.count();
        let source = &setting.source;
        let value = setting.value.as_ref().filter(|_| !setting.is_hidden());
        let Some(value) = value else {
            let (indent, name) = ("  ".repeat(common), relative(&path[common..]));
            if setting.is_hidden() {
                writeln!(
                    out,
                    "{indent}# {name} ({source}) may be a secret: not shown"
                )?;
            } else {
                writeln!(out, "{indent}# {name} is {source}")?;
            }
            continue;
        };
        let mut starts_item = false;
        for (depth, section) in sections.iter().enumerate().skip(common) {
            if section.starts_with('[') {
                starts_item = true;
            } else {
                writeln!(out, "{}{section}:", indent(depth, &mut starts_item))?;
            }
        }
        let indent = indent(sections.len(), &mut starts_item);
        writeln!(out, "{indent}{name}: {value} # {source}")?;
        open = sections.to_vec();
    }
    Ok(())
}

fn relative(segments: &[&str]) -> String {
    segments.join(".").replace(".[", "[")
}

/// `watch.groups[0].path` as `watch`, `groups`, `[0]`, `path`.
fn segments(key: &str) -> Vec<&str> {
    let mut all = Vec::new();
    for part in key.split('.') {
        match part.find('[') {
            Some(at) => all.extend([&part[..at], &part[at..]]),
            None => all.push(part),
        }
    }
    all
}

/// What a line at this depth begins with: the first line of an item has the dash.
fn indent(depth: usize, starts_item: &mut bool) -> String {
    if std::mem::take(starts_item) {
        format!("{}- ", "  ".repeat(depth - 1))
    } else {
        "  ".repeat(depth)
    }
}
