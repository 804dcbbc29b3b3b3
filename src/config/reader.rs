//! Reads values out of a document by the table of keys, and notes every problem on the way.

use std::cell::RefCell;
use std::time::Duration;

use super::given::{self, Given, found};
use super::keys::{self, Absence, Key};
use super::node::{self, Node, Place, Shape};
use super::problem::{Problem, excerpt, nearest};

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Report {
    findings: RefCell<Vec<(Place, String, String)>>,
}

/// A mapping of the document, or one that is not given and so has only defaults.
///
/// Every getter returns `None` where a problem was noted, or where an optional key is not given.
pub(super) struct Section<'a> {
    report: &'a Report,
    /// As messages show it: `watch.groups[1]`.
    path: String,
    /// As the table has it: `watch.groups[]`.
    pattern: String,
    place: Place,
    entries: &'a [(String, Node)],
    /// It, or what it stands in, is no mapping: what follows from that is not noted as well.
    broken: bool,
}

impl Report {
    /// Notes a problem with a key.
    pub(super) fn add(&self, place: Place, path: &str, message: String) {
        let path = match place {
            Place::Flag(flag) => flag.to_owned(),
            Place::File(_) | Place::Nowhere => path.to_owned(),
        };
        self.findings.borrow_mut().push((place, path, message));
    }

    /// Everything noted, with the lines in `text`.
    pub(super) fn into_problems(self, text: &str) -> Vec<Problem> {
        let to_problem = |(place, path, message)| Problem {
            path,
            message,
            line: match place {
                Place::File(number) => node::line_of(text, number),
                Place::Flag(_) | Place::Nowhere => None,
            },
            column: None,
        };
        self.findings
            .into_inner()
            .into_iter()
            .map(to_problem)
            .collect()
    }
}

impl<'a> Section<'a> {
    /// The document itself.
    pub(super) fn root(report: &'a Report, node: &'a Node) -> Self {
        let nowhere = Self {
            report,
            path: String::new(),
            pattern: String::new(),
            place: Place::Nowhere,
            entries: &[],
            broken: false,
        };
        nowhere.open(String::new(), String::new(), Some(node))
    }

    fn open(&self, path: String, pattern: String, node: Option<&'a Node>) -> Self {
        let mut section = Self {
            report: self.report,
            path,
            pattern,
            place: node.map_or(Place::Nowhere, |node| node.place),
            entries: &[],
            broken: self.broken,
        };
        match node.map(|node| &node.shape) {
            Some(Shape::Map(entries)) => section.entries = entries,
            // A section whose keys are all commented out.
            None | Some(Shape::Nothing) => {}
            Some(other) => {
                let keys = keys::children(&section.pattern).join(", ");
                section.complain(format!(
                    "found {}, wanted a mapping with {keys}",
                    found(other)
                ));
                section.broken = true;
            }
        }
        section.refuse_unknown_and_repeated_keys();
        section
    }

    fn refuse_unknown_and_repeated_keys(&self) {
        let valid = keys::children(&self.pattern);
        for (n, (name, node)) in self.entries.iter().enumerate() {
            let path = self.path_of(&excerpt(name));
            if self
                .entries
                .iter()
                .take(n)
                .any(|(earlier, _)| earlier == name)
            {
                let message = "given twice; keep one".to_owned();
                self.report.add(node.place, &path, message);
            }
            if !valid.contains(&name.as_str()) {
                let guess = nearest(name, &valid)
                    .map(|guess| format!("did you mean `{guess}`? "))
                    .unwrap_or_default();
                let message = format!("unknown key; {guess}valid here: {}", valid.join(", "));
                self.report.add(node.place, &path, message);
            }
        }
    }

    /// The section under `name`; empty where it is not given.
    pub(super) fn section(&self, name: &str) -> Section<'a> {
        let pattern = join(&self.pattern, name);
        self.open(self.path_of(name), pattern, self.entry(name))
    }

    /// The sections in the list under `name`.
    pub(super) fn sections(&self, name: &str) -> Vec<Section<'a>> {
        let path = self.path_of(name);
        let pattern = format!("{}[]", join(&self.pattern, name));
        let Some(node) = self.entry(name) else {
            return Vec::new();
        };
        let Shape::List(items) = &node.shape else {
            let keys = keys::children(&pattern).join(", ");
            let wanted = format!("a list of mappings with {keys}");
            let message = format!("found {}, wanted {wanted}", found(&node.shape));
            self.report.add(node.place, &path, message);
            return Vec::new();
        };
        let open = |(n, item): (usize, &'a Node)| {
            self.open(format!("{path}[{n}]"), pattern.clone(), Some(item))
        };
        items.iter().enumerate().map(open).collect()
    }

    /// Notes a problem with the section itself.
    pub(super) fn complain(&self, message: String) {
        if !self.broken {
            self.report.add(self.place, &self.path, message);
        }
    }

    /// Whether `name` is given here.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// A value that was given, for a check of its own that [`Given::complain`]s.
    pub(super) fn given(&self, name: &str) -> Option<Given<'a>> {
        self.entry(name).map(|node| self.wrap(name, node))
    }

    /// A duration.
    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        self.read(name, given::duration)
    }

    /// A whole number.
    pub(super) fn count(&self, name: &str) -> Option<usize> {
        self.read(name, given::count)
    }

    /// A number above 0.
    pub(super) fn rate(&self, name: &str) -> Option<f64> {
        self.read(name, given::rate)
    }

    /// True or false.
    pub(super) fn bool(&self, name: &str) -> Option<bool> {
        self.read(name, given::bool)
    }

    /// A text that `check` makes something of, or says in a few words why it cannot.
    pub(super) fn text<T>(
        &self,
        name: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.read(name, |value| value.text(&check))
    }

    /// One of the words of the table, as what it stands for.
    pub(super) fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Option<T> {
        self.read(name, |value| {
            let chosen = value.word()?;
            let mut words = words.iter();
            words
                .find(|(word, _)| *word == chosen)
                .map(|(_, stands_for)| *stands_for)
        })
    }

    /// A list of words of the table; `None` where one of them was refused.
    pub(super) fn words(&self, name: &str) -> Option<Vec<String>> {
        self.read(name, |value| {
            value.items(|item| item.word().map(str::to_owned))
        })
    }

    /// A list of texts, each through `check`; `None` where one of them was refused.
    pub(super) fn list<T>(
        &self,
        name: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.read(name, |value| value.items(|item| item.text(&check)))
    }

    fn read<T>(&self, name: &str, convert: impl Fn(&Given<'_>) -> Option<T>) -> Option<T> {
        if let Some(node) = self.entry(name) {
            return convert(&self.wrap(name, node));
        }
        let key = self.key(name);
        match key.absence {
            Absence::Default(yaml) => {
                let node = node::parse(yaml).ok()?;
                let node = Node {
                    place: Place::Nowhere,
                    ..node
                };
                convert(&self.wrap(name, &node))
            }
            Absence::Required if self.broken => None,
            Absence::Required => {
                let message = format!("missing; wanted {}", key.kind.wanted());
                self.report.add(self.place, &self.path_of(name), message);
                None
            }
            Absence::Preset(_) | Absence::Optional => None,
        }
    }

    fn wrap<'n>(&self, name: &str, node: &'n Node) -> Given<'n>
    where
        'a: 'n,
    {
        Given::new(self.report, self.path_of(name), node, self.key(name).kind)
    }

    fn entry(&self, name: &str) -> Option<&'a Node> {
        let mut entries = self.entries.iter();
        entries.find(|(key, _)| key == name).map(|(_, node)| node)
    }

    fn key(&self, name: &str) -> &'static Key {
        keys::find(&join(&self.pattern, name)).expect("only keys of the table are read")
    }

    fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}
