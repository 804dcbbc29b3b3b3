//! When an attempt ended and how long it took, in 17 bytes, because histories keep millions of attempts.

use super::{Span, Timestamp};

/// Bytes of a point in time: 17,000 years to either side.
const TIME: usize = 5;

/// Bytes of a span of time: nine years in microseconds.
const SPAN: usize = 6;

/// End of an attempt and its durations. What no byte is left for is shortened to the longest that fits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct AttemptTimes {
    /// Seconds since the Unix epoch; 0 for none.
    at: [u8; TIME],
    /// One more than the microseconds; 0 for none.
    duration: [u8; SPAN],
    /// One more than the microseconds; 0 for none.
    queued: [u8; SPAN],
}

impl AttemptTimes {
    /// `at` is the end of the attempt, `duration` its time on a runner, `queued` its time before.
    pub fn new(at: Option<Timestamp>, duration: Option<Span>, queued: Option<Span>) -> Self {
        Self {
            at: packed_time(at),
            duration: packed_span(duration),
            queued: packed_span(queued),
        }
    }

    /// End of the attempt. Start of a running one, start of the wait of a pending one.
    pub fn at(&self) -> Option<Timestamp> {
        let mut bytes = [0; 8];
        bytes[8 - TIME..].copy_from_slice(&self.at);
        // Shifts the sign into the bytes that are not kept.
        Timestamp::from_unix(i64::from_le_bytes(bytes) >> (8 * (8 - TIME)))
    }

    /// Time on a runner.
    pub fn duration(&self) -> Option<Span> {
        span(self.duration)
    }

    /// Time spent waiting for a runner.
    pub fn queued(&self) -> Option<Span> {
        span(self.queued)
    }
}

impl std::fmt::Debug for AttemptTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttemptTimes")
            .field("at", &self.at())
            .field("duration", &self.duration())
            .field("queued", &self.queued())
            .finish()
    }
}

fn packed_time(time: Option<Timestamp>) -> [u8; TIME] {
    let most = (1 << (8 * TIME - 1)) - 1;
    let seconds = time.map_or(0, |time| time.unix().clamp(-most, most));
    low_bytes(seconds.to_le_bytes())
}

fn packed_span(span: Option<Span>) -> [u8; SPAN] {
    let most = (1 << (8 * SPAN)) - 2;
    let micros = span.map_or(0, |span| span.micros().min(most) + 1);
    low_bytes(micros.to_le_bytes())
}

fn span(packed: [u8; SPAN]) -> Option<Span> {
    let mut bytes = [0; 8];
    bytes[..SPAN].copy_from_slice(&packed);
    let micros = u64::from_le_bytes(bytes).checked_sub(1)?;
    Some(Span::from_micros(micros))
}

fn low_bytes<const N: usize>(bytes: [u8; 8]) -> [u8; N] {
    std::array::from_fn(|place| bytes[place])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpacked(times: &AttemptTimes) -> (Option<Timestamp>, Option<Span>, Option<Span>) {
        (times.at(), times.duration(), times.queued())
    }

    proptest! {
        #[test]
        fn times_of_ten_thousand_years_and_spans_of_a_year_come_back(
            at in -400_000_000_000_i64..400_000_000_000,
            spans in prop::array::uniform2(prop::option::of(0..366 * 86_400_000_000_u64)),
        ) {
            let whole = (Timestamp::from_unix(at), spans[0].map(Span::from_micros), spans[1].map(Span::from_micros));
            prop_assert_eq!(unpacked(&AttemptTimes::new(whole.0, whole.1, whole.2)), whole);
        }

        #[test]
        fn any_are_kept_or_shortened_once(at: i64, duration: u64, queued: u64) {
            let spans = [duration, queued].map(Span::from_micros);
            let once = AttemptTimes::new(Timestamp::from_unix(at), Some(spans[0]), Some(spans[1]));
            let (kept, duration, queued) = unpacked(&once);
            prop_assert_eq!(AttemptTimes::new(kept, duration, queued), once);
            prop_assert_eq!(kept.map(|it| it.unix().signum()), Some(at).filter(|it| *it != 0).map(i64::signum));
            prop_assert!(duration.is_some_and(|it| it <= spans[0]) && queued.is_some_and(|it| it <= spans[1]));
        }
    }

    #[test]
    fn they_take_17_bytes() {
        assert_eq!(size_of::<AttemptTimes>(), 17);
        assert_eq!(
            unpacked(&AttemptTimes::default()),
            (None, None, None),
            "nothing is known at first"
        );
    }
}
