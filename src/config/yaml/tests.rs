use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn at<'a>(node: &'a Node, path: &[&str]) -> &'a Node {
    path.iter().fold(node, |node, step| match &node.kind {
        NodeKind::Map(entries) => &entries.iter().find(|(key, _)| key == step).unwrap().1,
        NodeKind::List(items) => &items[step.parse::<usize>().unwrap()],
        other => panic!("{other:?} has no entries"),
    })
}

fn kind(text: &str, path: &[&str]) -> NodeKind {
    at(&parse(text).unwrap(), path).kind.clone()
}

fn error(text: &str) -> String {
    let error = parse(text).unwrap_err();
    format!("{}:{}: {}", error.line, error.column, error.message)
}

#[test]
fn each_value_knows_the_line_of_its_key() {
    let node = parse("a: 1\n\nb:\n  c:\n  - x\n  -\n    d: 2\n    e: 3\n# end\n").unwrap();
    for (path, line) in [
        (&["a"][..], 1),
        (&["b"], 3),
        (&["b", "c"], 4),
        (&["b", "c", "0"], 5),
        (&["b", "c", "1", "d"], 7),
        (&["b", "c", "1", "e"], 8),
    ] {
        assert_eq!(at(&node, path).origin, Origin::Line(line), "{path:?}");
    }
}

#[test]
fn a_document_of_comments_is_nothing() {
    for text in ["", "\n", "# nothing\n  # yet", "---\n", "~"] {
        assert_eq!(kind(text, &[]), NodeKind::Null, "{text:?}");
    }
}

#[test]
fn plain_scalars_have_the_types_of_the_core_schema() {
    let text = |text: &str| NodeKind::Text(text.to_owned());
    for (yaml, expected) in [
        ("~", NodeKind::Null),
        ("true", NodeKind::Bool(true)),
        ("yes", text("yes")),
        ("-12", NodeKind::Integer(-12)),
        ("0x1f", NodeKind::Integer(31)),
        ("0o17", NodeKind::Integer(15)),
        ("1.5", NodeKind::Number(1.5)),
        ("-.5e1", NodeKind::Number(-5.0)),
        ("10s", text("10s")),
        ("infinity", text("infinity")),
        ("1.2.3", text("1.2.3")),
        ("'12'", text("12")),
        ("!!str 12", text("12")),
        ("|\n  12\n", text("12\n")),
    ] {
        assert_eq!(kind(yaml, &[]), expected, "{yaml}");
    }
}

#[test]
fn aliases_and_merge_keys_stand_for_their_anchors() {
    let text = "
x-defaults: &defaults {timeout: 5s, url: a}
x-more: &more {url: b, rate: 1}
one: *defaults
two:
  url: c
  <<: *defaults
three:
  <<: [*defaults, *more]
";
    let value = |path: &[&str]| kind(text, path).found();
    assert_eq!(value(&["one", "timeout"]), "`5s`");
    assert_eq!(value(&["two", "url"]), "`c`");
    assert_eq!(value(&["two", "timeout"]), "`5s`");
    assert_eq!(value(&["three", "url"]), "`a`");
    assert_eq!(value(&["three", "rate"]), "the number 1");
    let node = parse(text).unwrap();
    assert_eq!(at(&node, &["two", "timeout"]).origin, Origin::Line(2));
    assert_eq!(at(&node, &["one"]).origin, Origin::Line(4));
    assert_eq!(kind("'<<': {a: 1}", &["<<", "a"]), NodeKind::Integer(1));
}

#[test]
fn what_is_refused_has_a_line_and_a_reason() {
    for (text, message) in [
        (
            "a:\n  b: [1, 2\nc: 3\n",
            "3:2: not valid YAML: invalid indentation (is the `[` on line 2 closed?)",
        ),
        (
            "<<: 1",
            "1:1: `<<` merges the number 1, wanted a mapping or a list of mappings",
        ),
        (
            "a: &a [*a]",
            "1:8: an alias (`*..`) stands inside of its own anchor",
        ),
        (
            "a: !secret b",
            "1:4: YAML tags (`!..`) have no meaning here",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "2:1: a second YAML document begins here (`---`), wanted one; \
             join them, or give each exporter a file of its own",
        ),
    ] {
        assert_eq!(error(text), message, "{text}");
    }
}

#[test]
fn an_open_bracket_is_found_behind_comments_and_quotes() {
    for (text, found) in [
        ("a: [1, '[', # [\n # {\n 2", Some(('[', 1))),
        ("a: {b: [1, 2]\n", Some(('{', 1))),
        ("a: x[1\nb: don't [\nc: {", Some(('{', 3))),
        ("a: [1]", None),
    ] {
        assert_eq!(open_bracket(text, text.len()), found, "{text}");
    }
}

#[test]
fn aliases_that_grow_exponentially_are_refused() {
    let level = |n: usize| {
        let items = match n {
            0 => vec!["x".to_owned(); 9],
            _ => vec![format!("*a{}", n - 1); 9],
        };
        format!("a{n}: &a{n} [{}]", items.join(", "))
    };
    let text = (0..12).map(level).collect::<Vec<_>>().join("\n");
    let error = error(&text);
    assert!(
        error.ends_with("aliases (`*..`) expand to more than 500000 values"),
        "{error}"
    );
}

#[test]
fn deep_and_long_documents_are_refused_or_read_in_linear_time() {
    let start = Instant::now();
    for deep in ["[", "{a: ", "- ", "a:\n", "? ", "&a [", "!!seq ["] {
        let text = deep.repeat(200_000 / deep.len());
        assert!(parse(&text).is_err() || deep == "a:\n", "{deep}");
    }
    for long in ["- a\n", "a: 1\n", "# x\n", "- [a, b]\n", "- 'x'\n"] {
        let text = long.repeat(200_000 / long.len());
        assert!(parse(&text).is_ok(), "{long}");
    }
    // Quadratic time would take minutes.
    assert!(
        start.elapsed() < Duration::from_mins(1),
        "{:?}",
        start.elapsed()
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[-a:{}\\[\\]&*!|>'\"#%0-9., <\n]{0,60}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.line > 0 && error.column > 0);
        }
    }
}
