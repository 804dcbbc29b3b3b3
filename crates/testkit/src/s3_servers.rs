//! S3 servers over real HTTP: moto, which answers as AWS does, and rclone, which checks credentials and
//! ignores conditional writes.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use http::Method;
use regex::Regex;

use crate::client;

/// Serves on a free port until standard input is closed. That happens even if the tests crash.
const MOTO: &str = "
import os, sys, threading
from moto.server import main
def watch():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
main(['-H', '127.0.0.1', '-p', '0'])
";

/// Path of an installed tool.
#[track_caller]
pub fn tool(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/tools/bin")
        .join(name);
    assert!(
        path.exists(),
        "{} was not found; run: make install-tools",
        path.display()
    );
    path
}

/// Starts a server and waits until its log contains the address.
fn start(mut command: Command) -> (Child, String) {
    let name = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name} did not start: {error}"));
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = Regex::new(r"http://127\.0\.0\.1:\d+").unwrap();
    let mut log = String::new();
    let url = loop {
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("{name} ended: {log}"));
        let line = line.unwrap();
        if let Some(found) = address.find(&line) {
            break found.as_str().to_owned();
        }
        log.push_str(&line);
    };
    // The server would block on a full pipe.
    thread::spawn(move || lines.for_each(drop));
    (child, url)
}

/// URL of the moto server for all tests. Each test has its own buckets.
pub fn moto() -> &'static str {
    static MOTO_SERVER: OnceLock<(Child, String)> = OnceLock::new();
    let (_, url) = MOTO_SERVER.get_or_init(|| {
        let mut command = Command::new(tool("python"));
        command.args(["-c", MOTO]);
        start(command)
    });
    url
}

/// An rclone that serves a folder as S3; killed when dropped.
pub struct Rclone {
    process: Child,
    pub url: String,
}

pub const KEY: &str = "testaccesskey";
pub const SECRET: &str = "testsecretkey123";

impl Rclone {
    /// Serves each subfolder of `folder` as a bucket.
    pub fn serve(folder: &Path) -> Self {
        let mut command = Command::new(tool("rclone"));
        command
            .args([
                "serve",
                "s3",
                "--addr",
                "127.0.0.1:0",
                "--config",
                "/dev/null",
            ])
            .args([
                "--vfs-cache-mode",
                "off",
                "--auth-key",
                &format!("{KEY},{SECRET}"),
            ])
            .arg(folder);
        let (process, url) = start(command);
        Self { process, url }
    }
}

impl Drop for Rclone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A bucket in moto, with direct access for tests.
#[derive(Clone)]
pub struct TestBucket {
    pub name: String,
    pub server: &'static str,
}

impl TestBucket {
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let bucket = Self {
            name: format!("bucket-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            server: moto(),
        };
        let answer = bucket.request(Method::PUT, "").send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        bucket
    }

    fn request(&self, method: Method, key: &str) -> reqwest::RequestBuilder {
        let key = key.replace('%', "%25");
        let url = format!("{}/{}/{key}", self.server, self.name);
        // moto only checks that a signature exists.
        let signed = "AWS4-HMAC-SHA256 Credential=test/20260105/us-east-1/s3/aws4_request";
        client()
            .request(method, url)
            .header("authorization", signed)
    }

    pub async fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        let request = self.request(Method::PUT, key).body(body.into());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// moto answers 500 now and then while an object is replaced: it is asked again.
    pub async fn response(&self, key: &str) -> reqwest::Response {
        for _ in 0..5 {
            let answer = self.request(Method::GET, key).send().await.unwrap();
            if answer.status() != 500 {
                return answer;
            }
        }
        panic!("{key}: the S3 server keeps answering 500");
    }

    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let answer = self.response(key).await;
        if answer.status() == 404 {
            return None;
        }
        assert!(answer.status().is_success(), "{answer:?}");
        Some(answer.bytes().await.unwrap().to_vec())
    }

    pub async fn remove(&self, key: &str) {
        let answer = self.request(Method::DELETE, key).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// The names of up to 1,000 objects.
    pub async fn keys(&self) -> Vec<String> {
        let answer = self.request(Method::GET, "?list-type=2").send();
        let text = answer.await.unwrap().text().await.unwrap();
        let key = Regex::new("<Key>(.*?)</Key>").unwrap();
        key.captures_iter(&text)
            .map(|found| found[1].to_owned())
            .collect()
    }
}
