//! Secrets on command lines.

use std::ops::Range;

use super::names::{Telling, is_file, telling};
use super::shell;
use super::spans::Spans;
use super::tools::{TOOLS, Tool};
use super::{assignments, entropy};

/// Words of a line that are looked at: more is no command.
const MOST_WORDS: usize = 2000;

/// Adds the secrets of all command lines.
pub(super) fn find(text: &str, spans: &mut Spans) {
    for line in shell::command_lines(text) {
        let mut words = shell::words(text, line);
        words.truncate(MOST_WORDS);
        let command = Command { text, words };
        command.named_options(spans);
        command.piped(spans);
        command.tools(spans);
    }
}

/// Whatever takes a password after `login`.
const LOGIN: Tool = Tool {
    names: &[],
    letters: "p",
    attached: "",
    options: &[],
    behind: &[],
};

struct Command<'a> {
    text: &'a str,
    words: Vec<Range<usize>>,
}

impl Command<'_> {
    fn word(&self, index: usize) -> &str {
        self.words
            .get(index)
            .map_or("", |word| &self.text[word.clone()])
    }

    fn add(&self, index: usize, from: usize, spans: &mut Spans) {
        if let Some(word) = self.words.get(index).filter(|word| from < word.len()) {
            spans.add(word.start + from..word.end);
        }
    }

    /// `--db-password x`, `-token x`, `set DB_PASSWORD x`, whatever the tool.
    fn named_options(&self, spans: &mut Spans) {
        for index in 0..self.words.len().saturating_sub(1) {
            let (word, next) = (self.word(index), self.word(index + 1));
            let is_name = |byte: u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/')
            };
            // `//registry.example/:_authToken`
            let is_setting = |byte: u8| is_name(byte) || byte == b':' && word.starts_with("//");
            let Some(telling) = telling(word).filter(|_| word.bytes().all(is_setting)) else {
                continue;
            };
            let is_option = word.starts_with('-') || word.rfind('/') == Some(0);
            let is_set = matches!(
                self.word(index.wrapping_sub(1)),
                "set"
                    | "setx"
                    | "ENV"
                    | "ARG"
                    | "export"
                    | "-x"
                    | "-gx"
                    | "-e"
                    | "--env"
                    | "setenv"
                    | "unset"
            );
            let is_value =
                !next.starts_with('-') && !matches!(next, "|" | ";" | "&" | "=" | "(" | ")" | ",");
            let is_secret = match telling {
                Telling::Weakly => (is_option || is_set) && entropy::is_likely(next),
                _ if is_option || is_set => assignments::is_secret(next, word, telling),
                // `the token aB3dEfGh..`
                _ => entropy::is_likely(next),
            };
            if is_value && is_secret {
                self.add(index + 1, 0, spans);
            }
        }
    }

    /// `echo x | docker login --password-stdin`, `echo x > /run/secrets/db_password`.
    fn piped(&self, spans: &mut Spans) {
        let is_end = |index: &usize| self.word(*index) == "|" || self.word(*index).starts_with('>');
        let Some(pipe) = (0..self.words.len()).find(is_end) else {
            return;
        };
        let is_decoded = |index: usize| {
            self.word(index) == "base64" && matches!(self.word(index + 1), "-d" | "-D" | "--decode")
        };
        let target = self.word(pipe).trim_start_matches('>');
        let target = if target.is_empty() {
            self.word(pipe + 1)
        } else {
            target
        };
        let keeps_secrets = self.word(pipe) != "|" && is_file_of_secrets(basename(target));
        let takes_secrets = keeps_secrets
            || (pipe..self.words.len()).any(|index| {
                let word = self.word(index);
                matches!(
                    word,
                    "chpasswd"
                        | "passwd"
                        | "login"
                        | "sudo"
                        | "auth"
                        | "kinit"
                        | "cryptsetup"
                        | "gpg"
                        | "unlock"
                ) || is_decoded(index)
                    || telling(word).is_some_and(|telling| telling >= Telling::Weakly)
                        && word.ends_with("stdin")
            });
        let echo =
            (0..pipe).rfind(|index| matches!(basename(self.word(*index)), "echo" | "printf"));
        if let Some(echo) = echo.filter(|_| takes_secrets) {
            for index in echo + 1..pipe {
                if !matches!(self.word(index), "-n" | "-e" | "%s" | "%s\\n") {
                    self.add(index, 0, spans);
                }
            }
        }
    }

    fn tools(&self, spans: &mut Spans) {
        // The first name of a tool in a command covers what follows it.
        let mut met = [false; TOOLS.len()];
        for index in 0..self.words.len() {
            if self.ends_command(index) {
                met.fill(false);
            }
            let name = basename(self.word(index));
            for (tool, met) in TOOLS.iter().zip(&mut met) {
                if !*met && tool.names.iter().any(|known| fits(known, name)) {
                    *met = true;
                    self.secrets_of(tool, index, spans);
                }
            }
        }
        self.login_with_password(spans);
    }

    /// `docker login -p x`, and `-p` of whatever else logs in.
    fn login_with_password(&self, spans: &mut Spans) {
        let Some(login) = (0..self.words.len()).find(|index| self.word(*index) == "login") else {
            return;
        };
        self.secrets_of(&LOGIN, login, spans);
    }

    fn ends_command(&self, index: usize) -> bool {
        matches!(self.word(index), "|" | ";" | "&")
    }

    /// The secrets of a tool whose name is the word at `name`, up to the end of its command.
    fn secrets_of(&self, tool: &Tool, name: usize, spans: &mut Spans) {
        let end = (name + 1..self.words.len())
            .find(|index| self.ends_command(*index))
            .unwrap_or(self.words.len());
        for index in name + 1..end {
            let word = self.word(index);
            if let Some(from) = attached(tool, word) {
                self.add(index, from, spans);
            } else if awaits(tool, word) && index + 1 < end {
                self.add(index + 1, value_start(self.word(index + 1)), spans);
            }
            for (before, skipped) in tool.behind {
                let value = index + 1 + skipped;
                let is_windows = before.starts_with(['/', '\\']);
                let is_option = self.word(value).starts_with('-')
                    || is_windows && self.word(value).starts_with('/');
                if fits(before, word) && value < end && !is_option {
                    self.add(value, 0, spans);
                }
            }
        }
        for (_, skipped) in tool.behind.iter().filter(|(before, _)| before.is_empty()) {
            let plain = (name + 1..end).filter(|index| !self.word(*index).starts_with('-'));
            for index in plain.skip(*skipped) {
                self.add(index, 0, spans);
            }
        }
    }
}

/// Whether a file is there for a secret: `db_password`, `.vault_pass`, `id_rsa`, `tls.key`.
fn is_file_of_secrets(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_key = name.starts_with("id_") || matches!(extension, "key" | "pem");
    let is_named = telling(name).is_some_and(|telling| telling >= Telling::Surely);
    is_key || is_named && !is_file(name)
}

/// The name of a tool by its path.
fn basename(word: &str) -> &str {
    word.rsplit(['/', '\\']).next().unwrap_or(word)
}

fn fits(pattern: &str, word: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => !pattern.is_empty() && pattern == word,
    }
}

/// Where the secret begins in `-px`, `--option=x`, `/p:x`.
fn attached(tool: &Tool, word: &str) -> Option<usize> {
    for option in tool.options {
        if let Some(rest) = word.strip_prefix(option.trim_end_matches('*')) {
            if rest.starts_with(['=', ':']) && rest.len() > 1 {
                let from = word.len() - rest.len() + 1;
                return Some(from + value_start(&word[from..]));
            }
            if option.ends_with('*') && !rest.is_empty() {
                return Some(word.len() - rest.len());
            }
        }
    }
    let letter = word
        .strip_prefix('-')
        .filter(|rest| !rest.starts_with('-'))?
        .chars()
        .next()?;
    let is_known = tool.letters.contains(letter) || tool.attached.contains(letter);
    let rest = word.get(1 + letter.len_utf8()..)?;
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    (is_known && !rest.is_empty()).then_some(word.len() - rest.len())
}

/// Whether the next word is the secret of this option.
fn awaits(tool: &Tool, word: &str) -> bool {
    if tool.options.contains(&word) {
        return true;
    }
    let group = word
        .strip_prefix('-')
        .filter(|group| group.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let last = group.and_then(|group| group.chars().last());
    // Longer words with one dash are options with long names.
    last.is_some_and(|last| word.len() <= 8 && tool.letters.contains(last))
}

/// Where the secret begins in `pass:x` and `name=x`; names of variables and files are no secrets.
fn value_start(value: &str) -> usize {
    match value.split_once(':') {
        Some(("pass", _)) => 5,
        Some(("env" | "file" | "fd", _)) => value.len(),
        _ => value
            .find('=')
            .filter(|at| *at + 2 < value.len())
            .map_or(0, |at| at + 1),
    }
}
