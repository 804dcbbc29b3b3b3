//! The line of a real job's log that a person would look for first: one log of each tool in `tests/data/failure_logs`.

#![allow(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ci_history::{FailureClass, LogRule, LogRules, LogText, Masker};

const LOGS: &[(&str, &str)] = &[
    (
        "after_script",
        "Error: UPGRADE FAILED: timed out waiting for the condition",
    ),
    ("cargo_build", "error[E0308]: mismatched types"),
    (
        "cargo_test",
        "thread 'cart::tests::total_with_discount' panicked at src/cart.rs:42:9:",
    ),
    (
        "docker_build",
        "ERROR: failed to solve: golang:1.99: failed to resolve source metadata for docker.io/library/golang:1.99: docker.io/library/golang:1.99: not found",
    ),
    (
        "docker_run_step",
        "src/cart.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.",
    ),
    (
        "dotnet",
        "/builds/acme/shop/Cart.cs(5,13): error CS1002: ; expected [/builds/acme/shop/Shop.csproj]",
    ),
    (
        "eslint",
        "3:5 error 'cart' is defined but never used no-unused-vars",
    ),
    (
        "git_push",
        "! [remote rejected] main -> main (pre-receive hook declined)",
    ),
    ("go_build", "./main.go:5:2: undefined: cart"),
    (
        "go_panic",
        "panic: runtime error: index out of range [5] with length 3",
    ),
    ("go_test", "--- FAIL: TestTotal (0.00s)"),
    ("gradle", "com.acme.CartTest > totalWithDiscount() FAILED"),
    (
        "gradle_compile",
        "/builds/acme/shop/app/src/main/java/com/acme/Cart.java:5: error: cannot find symbol",
    ),
    (
        "java_exception",
        "Caused by: java.net.ConnectException: Connection refused",
    ),
    ("jest", "● cart › adds the discount"),
    (
        "make",
        "cart.c:5:10: fatal error: cart.h: No such file or directory",
    ),
    (
        "maven",
        "[ERROR] CartTest.totalWithDiscount:14 expected: <81> but was: <90>",
    ),
    (
        "npm_missing",
        "npm ERR! 404 Not Found - GET https://registry.npmjs.org/left-padd - Not found",
    ),
    (
        "npm_resolve",
        "npm error ERESOLVE unable to resolve dependency tree",
    ),
    (
        "npm_script",
        "src/cart.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.",
    ),
    ("oom", "Killed"),
    (
        "pytest",
        "FAILED tests/test_cart.py::test_discount - assert 90 == 81",
    ),
    ("python", "ModuleNotFoundError: No module named 'requests'"),
    ("quiet_end", "Coverage is 71.2 %, at least 80 % is needed"),
    (
        "rspec",
        "rspec ./spec/cart_spec.rb:5 # Cart adds the discount",
    ),
    ("shell", "/bin/bash: line 123: kubectl: command not found"),
    ("silent", "$ test -f dist/error-page.html"),
    ("terraform", "Error: Reference to undeclared input variable"),
    (
        "timestamps_of_the_runner",
        "Error: the bucket does not exist",
    ),
    (
        "verdict_image",
        "ERROR: Job failed: failed to pull image \"acme/shop:9\" with specified policies [always]: Error response from daemon: manifest for acme/shop:9 not found: manifest unknown (manager.go:237:1s)",
    ),
    (
        "verdict_system",
        "ERROR: Job failed (system failure): prepare environment: waiting for pod running: timed out waiting for pod to start.",
    ),
    (
        "verdict_timeout",
        "ERROR: Job failed: execution took longer than 1h0m0s seconds",
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/failure_logs")
}

fn line_of(log: &[u8], pattern: Option<&str>) -> String {
    let own = pattern.map(|pattern| LogRule {
        name: None,
        pattern: pattern.to_owned(),
        class: FailureClass::Policy,
    });
    let rules = LogRules::new(own.into_iter().collect()).unwrap();
    let text = LogText::read(log, true);
    let decides = rules.deciding_pattern(Some("script_failure"), text.unmasked());
    let excerpt = text.excerpt(7, &Masker::default(), decides.as_ref());
    excerpt.unwrap().line.to_string()
}

#[test]
fn each_log_has_its_telling_line() {
    let wrong: Vec<_> = LOGS
        .iter()
        .map(|(name, wanted)| {
            let log = fs::read(folder().join(name).with_extension("log")).unwrap();
            (*name, line_of(&log, None), *wanted)
        })
        .filter(|(_, found, wanted)| found != wanted)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The output of one command.
#[test]
fn other_tools_are_read_too() {
    for (output, wanted) in [
        (
            " FAIL  src/cart.test.ts > cart > adds the discount\nAssertionError: expected 90 to be 81\n\n Test Files  1 failed (1)\n      Tests  1 failed | 2 passed (3)",
            "FAIL src/cart.test.ts > cart > adds the discount",
        ),
        (
            "  2 passing (5ms)\n  1 failing\n\n  1) cart\n       adds the discount:\n\n      AssertionError: expected 90 to equal 81\n      at Context.<anonymous> (test/cart.js:5:20)",
            "AssertionError: expected 90 to equal 81",
        ),
        (
            "There was 1 failure:\n\n1) Acme\\CartTest::testDiscount\nFailed asserting that 90 matches expected 81.\n\nFAILURES!\nTests: 3, Assertions: 3, Failures: 1.",
            "1) Acme\\CartTest::testDiscount",
        ),
        (
            "FAIL: test_discount (tests.test_cart.CartTest.test_discount)\n----\nTraceback (most recent call last):\n  File \"x.py\", line 3\nAssertionError: 90 != 81\n----\nRan 3 tests in 0.001s\n\nFAILED (failures=1)",
            "FAIL: test_discount (tests.test_cart.CartTest.test_discount)",
        ),
        (
            "Error from server (Forbidden): deployments.apps is forbidden: User \"ci\" cannot create resource",
            "Error from server (Forbidden): deployments.apps is forbidden: User \"ci\" cannot create resource",
        ),
        (
            "denied: requested access to the resource is denied\n",
            "denied: requested access to the resource is denied",
        ),
        (
            "yarn run v1.22.22\n$ tsc -p .\nsrc/cart.ts:3:7 - error TS2322: Type 'string' is not assignable to type 'number'.\nerror Command failed with exit code 2.\ninfo Visit https://yarnpkg.com/en/docs/cli/run for documentation about this command.",
            "src/cart.ts:3:7 - error TS2322: Type 'string' is not assignable to type 'number'.",
        ),
        (
            "TASK [deploy] ****\nfatal: [web1]: FAILED! => {\"msg\": \"unreachable\"}\n\nPLAY RECAP ****\nweb1 : ok=3 changed=0 unreachable=0 failed=1",
            "fatal: [web1]: FAILED! => {\"msg\": \"unreachable\"}",
        ),
        (
            "ok 1 - empty\nnot ok 2 - discount\n# (in test file cart.bats, line 9)\n#   `[ 1 -eq 2 ]' failed",
            "not ok 2 - discount",
        ),
        (
            "/usr/bin/ld: cart.o: in function `main': undefined reference to `total'\ncollect2: error: ld returned 1 exit status",
            "/usr/bin/ld: cart.o: in function `main': undefined reference to `total'",
        ),
        (
            "would reformat src/cart.py\n\nOh no!\n1 file would be reformatted, 7 files would be left unchanged.",
            "would reformat src/cart.py",
        ),
        (
            "Error: Cannot find module 'express'\nRequire stack:\n- /builds/acme/shop/index.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1134:15)\n  code: 'MODULE_NOT_FOUND',\n\nNode.js v20.11.0",
            "Error: Cannot find module 'express'",
        ),
        (
            "E: Unable to locate package libfoo-dev",
            "E: Unable to locate package libfoo-dev",
        ),
        (
            "curl: (22) The requested URL returned error: 503",
            "curl: (22) The requested URL returned error: 503",
        ),
        (
            "write /cache/x: no space left on device\ncp: error writing 'dist': No space left on device",
            "cp: error writing 'dist': No space left on device",
        ),
    ] {
        let log = format!(
            "$ echo Error: earlier\nError: earlier\n$ run\n{output}\nERROR: Job failed: exit code 1\n"
        );
        assert_eq!(line_of(log.as_bytes(), None), wanted);
    }
}

#[test]
fn every_log_has_a_case() {
    let files = fs::read_dir(folder()).unwrap();
    let names = files.map(|file| {
        let path = file.unwrap().path();
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    });
    let cases: BTreeSet<_> = LOGS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), cases);
}

#[test]
fn the_line_that_a_rule_matched_comes_before_all_others() {
    let log = b"$ deploy\nquota of team a: used up\nquota of team b: used up\nError: later\nERROR: Job failed: exit code 1\n";
    assert_eq!(line_of(log, None), "Error: later");
    assert_eq!(line_of(log, Some("used up")), "quota of team b: used up");
    // The line in which a match over several lines begins.
    assert_eq!(
        line_of(log, Some(r"\s+b: used(?s:.*)later")),
        "quota of team b: used up"
    );
    assert_eq!(line_of(log, Some(r"\s*Error")), "Error: later");
}

#[test]
fn a_line_is_short_masked_and_without_signs_that_cannot_be_seen() {
    let secret =
        "$ x\n\x1b[31mError:\x1b[0m token glpat-hunter2hunter2hunter2 \u{202e}refused\u{0}\t!\n";
    assert_eq!(
        line_of(secret.as_bytes(), Some("refused")),
        "Error: token [masked] refused !"
    );
    // The rule matched what is masked.
    assert_eq!(
        line_of(b"password=hunter2\nError: no access\n", Some("hunter2")),
        "Error: no access"
    );
    let long = format!("Error: {}", "ä€".repeat(300));
    let line = line_of(long.as_bytes(), None);
    assert!(
        line.starts_with("Error: ä€") && line.ends_with('…'),
        "{line}"
    );
    assert_eq!(line.chars().count(), 200);
    let wide = line_of(
        format!("Error: {}", "\u{1f980}".repeat(300)).as_bytes(),
        None,
    );
    assert!(wide.len() <= 512 && wide.ends_with("\u{1f980}…"), "{wide}");
}

#[test]
fn a_log_that_says_little_still_has_a_line() {
    assert_eq!(line_of(b"$ false\n", None), "$ false");
    assert_eq!(
        line_of(b"ERROR: Job failed: exit code 1\n", None),
        "ERROR: Job failed: exit code 1"
    );
    assert_eq!(line_of(b"---\n", None), "---");
    let empty = LogText::read(b" \n\x1b[0m\n", true);
    assert_eq!(empty.excerpt(7, &Masker::default(), None), None);
}
