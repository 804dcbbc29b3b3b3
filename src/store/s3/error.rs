//! Errors of S3, with advice.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::base::error_chain::error_chain;
use crate::store::json::DocumentError;

/// A request to S3 failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {target}: {kind}")]
pub struct S3Error {
    action: &'static str,
    target: String,
    kind: S3ErrorKind,
}

/// Why a request to S3 failed.
#[derive(Debug, thiserror::Error)]
pub enum S3ErrorKind {
    /// There are no credentials.
    #[error(
        "no credentials were found: neither in the environment (AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY), nor in a profile (AWS_PROFILE), nor by a web identity \
         (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN), nor from the container \
         (AWS_CONTAINER_CREDENTIALS_FULL_URI) or the machine; set up one of these"
    )]
    NoCredentials,
    /// There is a source of credentials, and it fails.
    #[error(
        "the credentials cannot be had: {0}; check what the AWS_ variables and the profile name, and the \
         way there"
    )]
    Credentials(String),
    /// There are credentials, and S3 does not accept them.
    #[error(
        "the credentials are not accepted ({code}): check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
         AWS_SESSION_TOKEN, the profile or the role, and the clock of this machine"
    )]
    BadCredentials {
        /// S3's code.
        code: String,
    },
    /// The bucket does not exist.
    #[error("there is no such bucket: create it, or correct store.s3.bucket")]
    NoSuchBucket,
    /// The credentials are good, and not enough.
    #[error(
        "access is denied: allow s3:ListBucket on the bucket and s3:GetObject, s3:PutObject and \
         s3:DeleteObject on what is below the prefix, and the use of the KMS key if there is one"
    )]
    AccessDenied,
    /// The bucket is in another region.
    #[error("the bucket is not in the region that was asked: set store.s3.region{}",
        .region.as_ref().map(|region| format!(" to {region}")).unwrap_or_default())]
    WrongRegion {
        /// Where it is, where S3 says so.
        region: Option<String>,
    },
    /// The settings allow no request.
    #[error("the settings cannot be used: {0}; check store.s3 and the AWS_ variables")]
    Settings(String),
    /// S3 does not want this request, and will not want it a second time.
    #[error("refused with status {status} ({code})")]
    Refused {
        /// Status.
        status: u16,
        /// S3's code.
        code: String,
    },
    /// Nobody answers.
    #[error(
        "no answer: {0}; check store.s3.endpoint_url or store.s3.region and the way there, if it stays so"
    )]
    Unreachable(String),
    /// The answer took too long.
    #[error("no answer within the time of store.s3.timeout")]
    Timeout,
    /// S3 is in trouble, or wants fewer requests.
    #[error("S3 is not available (status {status}, {code})")]
    Unavailable {
        /// Status.
        status: u16,
        /// S3's code.
        code: String,
    },
    /// The answer ended before its end.
    #[error("the answer was cut off: {0}")]
    Cut(String),
    /// Another replica was faster each time.
    #[error(
        "other replicas changed it {0} times while it was to be written; the next save tries again"
    )]
    Contended(u32),
    /// The document is of a newer version or of another GitLab, and is not overwritten.
    #[error("it is not overwritten: {0}")]
    Newer(DocumentError),
    /// There is no such object.
    #[error("there is no such object")]
    NoSuchKey,
    /// The object is not as the request demands.
    #[error("it was changed by somebody else")]
    Precondition,
    /// The store does not implement the request.
    #[error("the store does not know this kind of request ({0})")]
    NotImplemented(String),
}

impl S3Error {
    pub(super) fn new(action: &'static str, target: String, kind: S3ErrorKind) -> Self {
        Self {
            action,
            target,
            kind,
        }
    }

    /// Why it failed.
    pub fn kind(&self) -> &S3ErrorKind {
        &self.kind
    }
}

impl S3ErrorKind {
    /// Whether the other documents will fail, too.
    pub(crate) fn is_outage(&self) -> bool {
        !matches!(
            self,
            Self::Contended(_) | Self::Newer(_) | Self::NoSuchKey | Self::Precondition
        )
    }

    /// Whether only a change of the configuration or of a right helps.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::NoCredentials
                | Self::BadCredentials { .. }
                | Self::NoSuchBucket
                | Self::AccessDenied
                | Self::WrongRegion { .. }
                | Self::Settings(_)
                | Self::Refused { .. }
                | Self::NotImplemented(_)
        )
    }

    /// Tells an error of the SDK apart, once and for all.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        match error {
            SdkError::TimeoutError(_) => Self::Timeout,
            SdkError::ServiceError(_) => {
                let region = error
                    .raw_response()
                    .and_then(|response| response.headers().get("x-amz-bucket-region"));
                let status = error.raw_response().map(HttpResponse::status);
                Self::answered(
                    status.map_or(0, u16::from),
                    error.code().unwrap_or("no code"),
                    region,
                )
            }
            SdkError::ResponseError(_) => match error.raw_response() {
                Some(response) if !response.status().is_success() => {
                    Self::answered(response.status().as_u16(), "no code", None)
                }
                _ => Self::Cut(error_chain(error)),
            },
            SdkError::DispatchFailure(failure) => of_credentials(error).unwrap_or_else(|| {
                let cause = failure.as_connector_error().and_then(StdError::source);
                if failure.is_timeout() {
                    Self::Timeout
                } else {
                    Self::Unreachable(error_chain(cause.unwrap_or(error)))
                }
            }),
            _ => of_credentials(error).unwrap_or_else(|| Self::Settings(error_chain(error))),
        }
    }

    /// Codes are those of S3's list of error responses; some stores send only the status.
    fn answered(status: u16, code: &str, region: Option<&str>) -> Self {
        match (status, code) {
            (_, "NoSuchBucket") => Self::NoSuchBucket,
            (_, "NoSuchKey") => Self::NoSuchKey,
            (
                _,
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "RequestTimeTooSkewed"
                | "TokenRefreshRequired"
                | "InvalidSecurity",
            )
            | (401, _) => Self::BadCredentials {
                code: code.to_owned(),
            },
            (301 | 307, _)
            | (_, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
                Self::WrongRegion {
                    region: region.map(str::to_owned),
                }
            }
            (403, _) => Self::AccessDenied,
            (404, _) => Self::NoSuchKey,
            (409 | 412, _) => Self::Precondition,
            (501, _) => Self::NotImplemented(code.to_owned()),
            (408 | 429 | 500..=599, _) => Self::Unavailable {
                status,
                code: code.to_owned(),
            },
            _ => Self::Refused {
                status,
                code: code.to_owned(),
            },
        }
    }
}

/// The problem with the credentials, if that is the cause.
fn of_credentials(error: &(dyn StdError + 'static)) -> Option<S3ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<CredentialsError>() {
            Some(CredentialsError::CredentialsNotLoaded(_)) => {
                return Some(S3ErrorKind::NoCredentials);
            }
            Some(invalid @ CredentialsError::InvalidConfiguration(_)) => {
                return Some(S3ErrorKind::Settings(error_chain(invalid)));
            }
            Some(other) => {
                return Some(S3ErrorKind::Credentials(error_chain(other)));
            }
            None => cause = error.source(),
        }
    }
    None
}
