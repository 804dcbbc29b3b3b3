//! Samples of the past, sent to Prometheus by its remote write protocol.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/>

use prost::Message;

use super::prometheus::Prometheus;
use super::series::Series;

#[derive(Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

/// A request whose series are encoded already: bytes look like messages on the wire.
#[derive(Message)]
struct WriteRequest {
    #[prost(bytes = "vec", repeated, tag = "1")]
    series: Vec<Vec<u8>>,
}

/// The labels of a series, encoded once for all its samples.
pub(super) struct Encoded(Vec<u8>);

impl Encoded {
    pub(super) fn new(series: &Series) -> Self {
        let label = |(name, value): &(String, String)| Label {
            name: name.clone(),
            value: value.clone(),
        };
        let labels = TimeSeries {
            labels: series.labels.iter().map(label).collect(),
            samples: Vec::new(),
        };
        Self(labels.encode_to_vec())
    }

    /// The series with samples: milliseconds and value. Two encoded messages in a row are one message.
    pub(super) fn with(&self, samples: impl Iterator<Item = (i64, f64)>) -> Vec<u8> {
        let sample = |(timestamp, value)| Sample { value, timestamp };
        let samples = TimeSeries {
            labels: Vec::new(),
            samples: samples.map(sample).collect(),
        };
        let mut bytes = self.0.clone();
        samples.encode(&mut bytes).unwrap();
        bytes
    }
}

/// Sends series in requests of a bearable size.
pub(super) async fn send(prometheus: &Prometheus, series: impl Iterator<Item = Vec<u8>>) {
    let mut series = series.peekable();
    let mut encoder = snap::raw::Encoder::new();
    while series.peek().is_some() {
        let request = WriteRequest {
            series: series.by_ref().take(10_000).collect(),
        };
        let body = encoder.compress_vec(&request.encode_to_vec()).unwrap();
        prometheus.write(body).await;
    }
}
