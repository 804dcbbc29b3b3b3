//! A token that is replaced while the client runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use job_failure_exporter::base::secret_source::SecretSource;
use job_failure_exporter::gitlab::Client;
use secrecy::SecretString;

use super::scripted::{Reply, Server, ok, reply};
use super::{SECRET, options};

/// A source whose content tests replace, with or without a sign of change.
#[derive(Debug, Default)]
struct Source {
    secret: Mutex<Option<&'static str>>,
    has_changed: std::sync::atomic::AtomicBool,
    readings: AtomicUsize,
}

impl Source {
    fn replace(&self, secret: Option<&'static str>, is_seen: bool) {
        *self.secret.lock().unwrap() = secret;
        self.has_changed.store(is_seen, Ordering::Relaxed);
    }

    fn readings(&self) -> usize {
        self.readings.load(Ordering::Relaxed)
    }
}

impl SecretSource for Source {
    fn has_changed(&self) -> bool {
        self.has_changed.swap(false, Ordering::Relaxed)
    }

    fn read(&self) -> Result<SecretString, String> {
        self.readings.fetch_add(1, Ordering::Relaxed);
        let secret = *self.secret.lock().unwrap();
        secret
            .map(SecretString::from)
            .ok_or_else(|| "it is empty".to_owned())
    }
}

fn set_up(server: &Server) -> (Client, Arc<Source>) {
    let source = Arc::new(Source::default());
    source.replace(Some(SECRET), false);
    let mut options = options(&server.url(""));
    options.token_source = Some(source.clone());
    (Client::new(options, Arc::new(())).unwrap(), source)
}

fn unauthorized() -> Reply {
    reply(401, r#"{"message":"401 Unauthorized"}"#)
}

fn tokens(server: &Server) -> Vec<String> {
    let of = |head: &String| {
        let (_, rest) = head.split_once("authorization: bearer ").unwrap();
        rest.split("\r\n").next().unwrap().to_owned()
    };
    server.requests().iter().map(of).collect()
}

#[tokio::test]
async fn a_replaced_token_is_taken_when_its_file_changes() {
    let server = Server::start([ok("[]"), ok("[]")]).await;
    let (client, source) = set_up(&server);
    source.replace(Some("glpat-second"), true);
    client.bridges(7, 70).await.unwrap();
    client.token_renewed().await;
    client.bridges(7, 70).await.unwrap();
    assert_eq!(tokens(&server), ["glpat-second", "glpat-second"]);
    assert_eq!(source.readings(), 1);
}

#[tokio::test]
async fn a_refused_token_is_read_again_and_the_request_repeated() {
    let server = Server::start([unauthorized(), ok("[]")]).await;
    let (client, source) = set_up(&server);
    source.replace(Some("glpat-second"), false);
    client.bridges(7, 70).await.unwrap();
    assert_eq!(tokens(&server), [SECRET, "glpat-second"]);
}

#[tokio::test]
async fn a_refused_token_is_read_again_once_and_its_file_is_looked_at_later() {
    let server = Server::start((0..3).map(|_| unauthorized())).await;
    let (client, source) = set_up(&server);
    for secret in [Some(SECRET), None, Some(SECRET)] {
        source.replace(secret, false);
        let error = client.bridges(7, 70).await.unwrap_err();
        assert!(error.is_of_the_token() && error.attempts() == 1, "{error}");
    }
    assert_eq!((source.readings(), server.paths().len()), (1, 3));
}

#[tokio::test]
async fn an_empty_file_leaves_the_token_in_force() {
    let server = Server::start([ok("[]")]).await;
    let (client, source) = set_up(&server);
    source.replace(None, true);
    client.bridges(7, 70).await.unwrap();
    assert_eq!(tokens(&server), [SECRET]);
}

#[tokio::test]
async fn no_message_shows_a_former_or_a_present_token() {
    let body = format!(r#"{{"message":"{SECRET} and glpat-second are bad"}}"#);
    let server = Server::start([unauthorized(), reply(403, &body)]).await;
    let (client, source) = set_up(&server);
    source.replace(Some("glpat-second"), false);
    let error = client.bridges(7, 70).await.unwrap_err().to_string();
    assert!(
        !error.contains(SECRET) && !error.contains("glpat-second"),
        "{error}"
    );
    assert!(error.contains("<redacted> and <redacted>"), "{error}");
}

#[tokio::test]
async fn a_401_of_a_proxy_is_no_word_about_the_token() {
    let page = reply(401, "<html>").with("Content-Type", "text/html");
    let server = Server::start([page, ok("[]")]).await;
    let (client, source) = set_up(&server);
    client.bridges(7, 70).await.unwrap();
    assert_eq!(source.readings(), 0);
}
