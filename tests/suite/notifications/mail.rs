//! A mail server that keeps what it is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A mail, decoded.
#[derive(Debug, Clone)]
pub(super) struct Mail {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

pub(super) struct Mailbox {
    address: SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
    /// Ends with the mailbox.
    _serving: JoinSet<()>,
}

impl Mailbox {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        let kept = Arc::clone(&mails);
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(mail) = take(stream).await {
                    kept.lock().unwrap().push(mail);
                }
            }
        });
        Self {
            address,
            mails,
            _serving: serving,
        }
    }

    /// What makes a receiver of Alertmanager send here.
    pub(super) fn settings(&self) -> Value {
        json!({
            "smarthost": self.address.to_string(),
            "from": "ci-alerts@company.example",
            "require_tls": false,
        })
    }

    pub(super) fn mails(&self) -> Vec<Mail> {
        let mails = self.mails.lock().unwrap();
        mails.iter().map(|mail| decoded(mail)).collect()
    }
}

/// One SMTP session; gives the text after DATA.
async fn take(stream: TcpStream) -> Option<String> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 ready\r\n").await.ok()?;
    let (mut mail, mut in_mail) = (None::<String>, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return mail;
        }
        let answer: &[u8] = match (in_mail, line.trim_end()) {
            (true, ".") => {
                in_mail = false;
                b"250 kept\r\n"
            }
            (true, _) => {
                let line = line.strip_prefix('.').unwrap_or(&line);
                mail.get_or_insert_default().push_str(line);
                continue;
            }
            (false, "DATA") => {
                in_mail = true;
                b"354 go on\r\n"
            }
            (false, "QUIT") => b"221 bye\r\n",
            (false, _) => b"250 ok\r\n",
        };
        stream.write_all(answer).await.ok()?;
    }
}

fn decoded(mail: &str) -> Mail {
    let mail = mail.replace("\r\n", "\n");
    let (head, _) = mail.split_once("\n\n").unwrap();
    let subject = head.lines().find_map(|line| line.strip_prefix("Subject: "));
    let part = |kind: &str| {
        let (_, after) = mail.split_once(&format!("Content-Type: {kind}")).unwrap();
        let (_, body) = after.split_once("\n\n").unwrap();
        let (body, _) = body.split_once("\n--").unwrap();
        quoted_printable(body)
    };
    Mail {
        subject: subject.unwrap().to_owned(),
        text: part("text/plain"),
        html: part("text/html"),
    }
}

fn quoted_printable(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut pieces = joined.split('=');
    bytes.extend_from_slice(pieces.next().unwrap().as_bytes());
    for piece in pieces {
        let (code, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}
