//! What keeps the exporter from starting: each is told on standard error, with what to do, and exit code 1.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use testkit::daemon::{Place, gitlab};

#[tokio::test]
async fn five_mistakes_in_the_configuration_are_told_all_at_once() {
    let place = Place::new("http://127.0.0.1:1", "projects: [a/b]");
    let file = "tests/data/config/five-mistakes.yml";
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    place.configure(&text);
    let said = place.refused(&[]).await;
    assert!(said.contains("the configuration has 5 problems"), "{said}");
    for (line, key) in [
        (2, "gitlab.url"),
        (4, "watch.interval"),
        (9, "watch.groups[1].exclude[0]"),
        (10, "watch.refs[1]"),
        (12, "counting.windows"),
    ] {
        let place = format!("config.yml:{line}: {key}: ");
        assert!(said.contains(&place), "{place} is not in: {said}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_flag_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new("http://127.0.0.1:1", "projects: [a/b]");
    let said = place.refused(&["--web.listen-address", &address]).await;
    let wanted = format!("cannot listen on `{address}`: Address already in use");
    assert!(said.contains(&wanted), "{said}");
    assert!(said.contains("--web.listen-address"), "{said}");
}

#[tokio::test]
async fn a_second_process_on_one_state_directory_is_refused_and_the_first_goes_on() {
    let gitlab = gitlab("flaky").await;
    let place = Place::new(gitlab.url(), "projects: [acme/mobile]");
    let first = place.start().await;
    let said = place.refused(&[]).await;
    let wanted = format!("is in use by process {}", first.id());
    assert!(said.contains(&wanted), "{said}");
    assert!(said.contains(&*place.state().to_string_lossy()), "{said}");
    first.is_ready().await;
    // The lock goes with its holder, however that ends.
    first.kill().await;
    place.start().await.stop().await;
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_written_is_named() {
    let place = Place::new("http://127.0.0.1:1", "projects: [a/b]");
    // Below a file nobody can create anything, not even root.
    let below = place.config().join("state").to_string_lossy().into_owned();
    let said = place.refused(&["--store.directory", &below]).await;
    let wanted = format!("cannot use the state directory {below}: creating it: ");
    assert!(said.contains(&wanted), "{said}");
    assert!(said.contains("--store.directory"), "{said}");
    let file = place.config().to_string_lossy().into_owned();
    let said = place.refused(&["--store.directory", &file]).await;
    assert!(
        said.contains("it is a file, and a directory is wanted"),
        "{said}"
    );
}
