//! The shapes GitLab sends, field by field as they came; `validate` decides what they mean.
//!
//! A field takes any JSON value, so that one odd field spoils neither its page nor the other fields.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A JSON value; an object becomes a `W`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Value<'a, W> {
    /// Also `null`.
    #[default]
    Missing,
    Flag(bool),
    /// A whole number that is not negative.
    Whole(u64),
    Number(f64),
    Text(Cow<'a, str>),
    List,
    Object(W),
}

/// A value that should be no object.
pub(super) type Field<'a> = Value<'a, IgnoredAny>;

impl<W> Value<'_, W> {
    pub(super) fn or(self, other: Self) -> Self {
        match self {
            Self::Missing => other,
            value => value,
        }
    }

    /// The object, if the value is one.
    pub(super) fn object(self) -> Option<W> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// As in JSON, without the content of lists and objects.
impl<W> fmt::Display for Value<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("null"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::List => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

/// A field that is there, be it `null`.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Field<'a>>, D::Error> {
    Field::deserialize(deserializer).map(Some)
}

impl<'de: 'a, 'a, W: Deserialize<'de>> Deserialize<'de> for Value<'a, W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue(PhantomData))
    }
}

struct AnyValue<'a, W>(PhantomData<Value<'a, W>>);

impl<'de: 'a, 'a, W: Deserialize<'de>> Visitor<'de> for AnyValue<'a, W> {
    type Value = Value<'a, W>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Missing)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        W::deserialize(MapAccessDeserializer::new(map)).map(Value::Object)
    }
}

/// Declares shapes whose fields are of type [`Field`] unless they name another type.
macro_rules! shapes {
    ($($(#[$about:meta])* $name:ident {
        $($(#[$of_field:meta])* $field:ident $(: $type:ty)?),+ $(,)?
    })+) => {
        $(
            $(#[$about])*
            #[derive(Default, serde::Deserialize)]
            #[serde(default, bound(deserialize = "'de: 'a"))]
            pub(in crate::gitlab) struct $name<'a> {
                $(
                    $(#[$of_field])*
                    pub(in crate::gitlab) $field: $crate::gitlab::wire::shapes!(@type $($type)?),
                )+
            }
        )+
    };
    (@type $type:ty) => { $type };
    (@type) => { $crate::gitlab::wire::Field<'a> };
}
pub(super) use shapes;

shapes! {
    /// `GET /projects/:id/jobs/:id`, of which only this is read.
    ErasedJob { erased_at }

    /// An element of `GET /projects/:id/pipelines`, or the single pipeline.
    Pipeline {
        id,
        #[serde(rename = "ref")]
        ref_name,
        sha,
        status,
        source,
        created_at,
        updated_at,
        /// Only on the single pipeline.
        tag,
        /// Only on the single pipeline.
        yaml_errors,
        /// Only on the single pipeline.
        duration,
        web_url,
        project_id,
    }

    /// An element of `GET /projects/:id/pipelines/:id/jobs` or `../bridges`.
    Job {
        id,
        name,
        stage,
        tag,
        tag_list: Option<&'a RawValue>,
        status,
        allow_failure,
        created_at,
        started_at,
        finished_at,
        duration,
        queued_duration,
        failure_reason,
        web_url,
        commit: Value<'a, Commit<'a>>,
        user: Value<'a, User<'a>>,
        /// Only on bridges.
        downstream_pipeline: Value<'a, Pipeline<'a>>,
    }

    /// The commit of a job.
    Commit {
        title,
        author_name,
        author_email,
    }

    /// The user who started or retried a job.
    User {
        username,
        name,
        public_email,
    }

    /// The same element, as far as an action on it needs, or the single job.
    Attempt {
        id,
        name,
        stage,
        status,
        allow_failure,
        created_at,
        finished_at,
        archived,
        user: Value<'a, OnlyId<'a>>,
        /// Only on the single job.
        pipeline: Value<'a, OnlyId<'a>>,
    }

    /// An element of `GET /projects/:id/deployments`.
    Deployment {
        id,
        deployable: Value<'a, Job<'a>>,
    }

    /// An element of `GET /projects/:id/pipeline_schedules`, or the single schedule.
    Schedule {
        id,
        description,
        #[serde(rename = "ref")]
        ref_name,
        next_run_at,
        active,
        updated_at,
        /// Only on the single schedule.
        last_pipeline: Value<'a, Pipeline<'a>>,
    }

    /// `GET /projects/:id`, or an element of `GET /groups/:id/projects`.
    Project {
        id,
        path_with_namespace,
        web_url,
        /// `null` in a project without commits; absent if the token may not read the code.
        #[serde(deserialize_with = "present")]
        default_branch: Option<Field<'a>>,
        archived,
        /// Whether CI/CD is on. Lists of a group leave it out.
        builds_access_level,
        /// Deprecated in favour of `builds_access_level`.
        jobs_enabled,
        /// Only on the single project.
        permissions: Value<'a, Permissions<'a>>,
    }

    /// The roles of the token's user in a project and in its groups.
    Permissions {
        project_access: Value<'a, Access<'a>>,
        group_access: Value<'a, Access<'a>>,
    }

    /// A role, or `null`.
    Access { access_level }

    /// `GET /user`.
    Account { id, username, bot }

    /// An element of `GET /projects/:id/repository/branches` or `../tags`, or the single branch.
    GitRef {
        name,
        protected,
        /// Only on branches.
        can_push,
        /// Only on branches.
        developers_can_merge,
    }

    /// `GET /personal_access_tokens/self`.
    Token {
        scopes: Option<&'a RawValue>,
        /// A day without a time, or `null`.
        expires_at,
    }

    /// `GET /metadata`.
    Metadata { version }

    /// The id of a record whose other fields cannot be read.
    OnlyId { id }
}
