//! Single requests to a bucket.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::credentials::{Rebuild, Source};
use super::error::{S3Error, S3ErrorKind};
use crate::base::backoff::Backoff;
use crate::base::error_chain::error_chain;
use crate::base::s3_options::{Encryption, S3Options};
use crate::store::packed;

/// Attempts of one request. Only transient errors are repeated.
const ATTEMPTS: u32 = 3;

/// Pauses between attempts, and between the writes of replicas that are in each other's way.
pub(super) const BACKOFF: Backoff =
    Backoff::new(Duration::from_millis(100), Duration::from_millis(6400)).with_jitter(1.0);

/// Longest time until a connection stands.
const CONNECT: Duration = Duration::from_secs(3);

/// Stores other than AWS accept any region.
const REGION_OF_AN_ENDPOINT: &str = "us-east-1";

/// The condition of a write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'a> {
    /// Nothing.
    None,
    /// There is no such object.
    Absent,
    /// The object is still this one.
    Is(&'a str),
}

/// An object as it was read.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) etag: Option<String>,
    pub(super) body: Bytes,
}

/// An object as it was listed.
#[derive(Debug)]
pub(super) struct Listed {
    /// Below the prefix.
    pub(super) name: String,
    pub(super) etag: Option<String>,
}

/// A bucket, and the prefix below which everything of ours is. Clones share the connections.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    client: Client,
    /// Of the credentials.
    source: Option<Source>,
    name: String,
    /// Empty, or ending in `/`.
    prefix: String,
    encryption: Option<ServerSideEncryption>,
    kms_key_id: Option<String>,
    timeout: Duration,
}

impl Bucket {
    /// `sdk` has the settings of all AWS services, such as the source of credentials. `rebuild` builds the source again.
    pub(super) async fn new(
        options: S3Options,
        sdk: ConfigLoader,
        rebuild: Option<Rebuild>,
    ) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT.min(options.timeout))
            .operation_attempt_timeout(options.timeout)
            .operation_timeout(options.timeout * 2)
            .build();
        let mut config = sdk
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts);
        if let Some(region) = options.region {
            config = config.region(Region::new(region));
        }
        // Boxed, and so no burden for the futures of everybody who opens a store.
        let config = Box::pin(config.load()).await;
        let mut s3 =
            aws_sdk_s3::config::Builder::from(&config).force_path_style(options.force_path_style);
        if config.region().is_none() && options.endpoint_url.is_some() {
            s3 = s3.region(Region::new(REGION_OF_AN_ENDPOINT));
        }
        // Of S3 alone: whoever gives the credentials is elsewhere.
        if let Some(url) = &options.endpoint_url {
            s3 = s3.endpoint_url(url.as_str().trim_end_matches('/'));
        }
        let source = config.credentials_provider();
        let source = source.map(|source| Source::of(source, rebuild));
        s3.set_credentials_provider(source.clone().map(SharedCredentialsProvider::new));
        let prefix = options.prefix.trim_matches('/');
        Self {
            client: Client::from_conf(s3.build()),
            source,
            name: options.bucket,
            prefix: match prefix {
                "" => String::new(),
                _ => format!("{prefix}/"),
            },
            encryption: options.encryption.map(|encryption| match encryption {
                Encryption::Aes256 => ServerSideEncryption::Aes256,
                Encryption::Kms => ServerSideEncryption::AwsKms,
                Encryption::KmsDsse => ServerSideEncryption::AwsKmsDsse,
            }),
            kms_key_id: options.kms_key_id,
            timeout: options.timeout,
        }
    }

    /// For messages.
    pub(super) fn address(&self, name: &str) -> String {
        format!("s3://{}/{}{name}", self.name, self.prefix)
    }

    fn error<E>(
        &self,
        action: &'static str,
        name: &str,
    ) -> impl FnOnce(SdkError<E, HttpResponse>) -> S3Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let target = self.address(name);
        let source = self.source.clone();
        move |error| {
            let kind = match (S3ErrorKind::of(&error), source.and_then(|it| it.trouble())) {
                (S3ErrorKind::Timeout, Some(trouble)) => S3ErrorKind::Credentials(trouble),
                (kind, _) => kind,
            };
            S3Error::new(action, target, kind)
        }
    }

    /// Reads an object; `None` where there is none. A body that is cut off is asked for again.
    pub(super) async fn get(&self, name: &str) -> Result<Option<Object>, S3Error> {
        let mut attempt = 1;
        loop {
            let key = format!("{}{name}", self.prefix);
            let request = self.client.get_object().bucket(&self.name).key(key);
            let answer = request.send().await.map_err(self.error("read", name));
            let output = match answer {
                Err(error) if matches!(error.kind(), S3ErrorKind::NoSuchKey) => return Ok(None),
                answer => answer?,
            };
            match read_whole(output, self.timeout).await {
                Ok(object) => return Ok(Some(object)),
                Err(kind) if attempt == ATTEMPTS => {
                    return Err(S3Error::new("read", self.address(name), kind));
                }
                Err(_) => sleep(BACKOFF.delay(attempt - 1)).await,
            }
            attempt += 1;
        }
    }

    /// Writes an object; gives its etag.
    pub(super) async fn put(
        &self,
        name: &str,
        body: Vec<u8>,
        condition: Condition<'_>,
    ) -> Result<Option<String>, S3Error> {
        let content_type = if packed::is_packed(&body) {
            "application/gzip"
        } else {
            "application/json"
        };
        let mut request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(format!("{}{name}", self.prefix))
            .content_type(content_type)
            .set_server_side_encryption(self.encryption.clone())
            .set_ssekms_key_id(self.kms_key_id.clone())
            .body(body.into());
        request = match condition {
            Condition::None => request,
            Condition::Absent => request.if_none_match("*"),
            Condition::Is(etag) => request.if_match(etag),
        };
        let answer = request.send().await.map_err(self.error("write", name))?;
        Ok(answer.e_tag)
    }

    /// Removes an object, unless it is another one by now. That there is none is no error.
    pub(super) async fn delete(&self, name: &str, etag: Option<&str>) -> Result<(), S3Error> {
        let request = self
            .client
            .delete_object()
            .bucket(&self.name)
            .key(format!("{}{name}", self.prefix))
            .set_if_match(etag.map(str::to_owned));
        match request.send().await.map_err(self.error("remove", name)) {
            Err(error)
                if !matches!(
                    error.kind(),
                    S3ErrorKind::NoSuchKey | S3ErrorKind::Precondition
                ) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Whether we may list what is below the prefix.
    pub(super) async fn try_list(&self) -> Result<(), S3Error> {
        let request = self.client.list_objects_v2().bucket(&self.name);
        let request = request.prefix(&self.prefix).max_keys(1);
        let answer = request.send().await.map_err(self.error("list", ""));
        answer.map(drop)
    }

    /// Everything below the prefix.
    pub(super) async fn list(&self) -> Result<Vec<Listed>, S3Error> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(&self.prefix)
            .into_paginator()
            .send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(self.error("list", ""))?;
            for object in page.contents.unwrap_or_default() {
                let key = object.key.as_deref();
                if let Some(name) = key.and_then(|key| key.strip_prefix(&self.prefix)) {
                    listed.push(Listed {
                        name: name.to_owned(),
                        etag: object.e_tag,
                    });
                }
            }
        }
        Ok(listed)
    }
}

/// The body to its end: the SDK's timeouts and attempts only reach to its beginning.
async fn read_whole(output: GetObjectOutput, longest: Duration) -> Result<Object, S3ErrorKind> {
    let length = output.content_length;
    let body = match timeout(longest, output.body.collect()).await {
        Err(_) => return Err(S3ErrorKind::Timeout),
        Ok(Err(error)) => return Err(S3ErrorKind::Cut(error_chain(&error))),
        Ok(Ok(body)) => body.into_bytes(),
    };
    match length.and_then(|length| usize::try_from(length).ok()) {
        Some(length) if length != body.len() => Err(S3ErrorKind::Cut(format!(
            "{} of {length} bytes came",
            body.len()
        ))),
        _ => Ok(Object {
            etag: output.e_tag,
            body,
        }),
    }
}
