//! The projects that one of several exporters polls.

use std::fmt;

/// One of several equal parts of all projects, such as `2/8`: the second of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// 1 to `count`.
    number: u32,
    /// 1 to `MAX_SHARDS`.
    count: u32,
}

/// Far more shards than anybody runs.
const MAX_SHARDS: u32 = 10_000;

impl Shard {
    /// The only shard, which owns every project.
    pub const WHOLE: Self = Self {
        number: 1,
        count: 1,
    };

    /// Parses a shard such as `2/8`.
    ///
    /// # Errors
    ///
    /// The mistake in a few words; empty if a number is not a number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (number, count) = text.split_once('/').ok_or("the `/` is missing")?;
        let whole = |text: &str| text.parse::<u32>().map_err(|_| String::new());
        let (number, count) = (whole(number)?, whole(count)?);
        if !(1..=MAX_SHARDS).contains(&count) {
            return Err(format!("there can be 1 to {MAX_SHARDS} shards"));
        }
        if !(1..=count).contains(&number) {
            return Err(format!("shards are numbered from 1 to {count}"));
        }
        Ok(Self { number, count })
    }

    /// Whether this shard owns a project. Exactly one of all shards with the same count does.
    pub fn owns(self, project_id: u64) -> bool {
        jump_hash(project_id, self.count) == self.number - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

/// The bucket of a key. When a bucket is added, a key either stays or moves to the new bucket.
///
/// By hand, because these few lines must give the same shard in every version.
///
/// Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014, arXiv:1406.2294.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the jump ends as soon as it is not below a count of 32 bits"
)]
fn jump_hash(mut key: u64, buckets: u32) -> u32 {
    let (mut bucket, mut next) = (0, 0);
    while next < u64::from(buckets) {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let leap = f64::from(1_u32 << 31) / ((key >> 33) + 1) as f64;
        next = ((bucket + 1) as f64 * leap) as u64;
    }
    bucket as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of projects; GitLab gives their ids in sequence.
    const PROJECTS: u64 = 20_000;

    #[test]
    fn every_project_has_exactly_one_owner_and_shards_are_about_as_large() {
        for count in [1, 2, 3, 8, 9, 30] {
            let mut sizes = vec![0_u32; count as usize];
            for id in 1..=PROJECTS {
                let owners = (1..=count).filter(|number| {
                    let number = *number;
                    Shard { number, count }.owns(id)
                });
                let owners: Vec<u32> = owners.collect();
                assert_eq!(
                    owners.len(),
                    1,
                    "project {id} of {count} shards: {owners:?}"
                );
                sizes[owners[0] as usize - 1] += 1;
            }
            let fair = PROJECTS as f64 / f64::from(count);
            for size in sizes {
                assert!(
                    (f64::from(size) / fair - 1.0).abs() < 0.12,
                    "{size} of {count}"
                );
            }
        }
    }

    #[test]
    fn a_ninth_shard_takes_a_ninth_of_the_projects_and_no_other_moves() {
        let moved: Vec<u64> = (1..=PROJECTS)
            .filter(|id| jump_hash(*id, 8) != jump_hash(*id, 9))
            .collect();
        assert!(moved.iter().all(|id| jump_hash(*id, 9) == 8));
        let share = moved.len() as f64 / PROJECTS as f64;
        assert!((share - 1.0 / 9.0).abs() < 0.01, "{share}");
    }

    #[test]
    fn the_owner_of_a_project_is_the_same_in_every_version() {
        // Expected buckets are from other implementations of the paper.
        for (id, count, bucket) in [
            (1, 1, 0),
            (0, 60, 0),
            (1, 60, 55),
            (2, 60, 46),
            (42, 57, 43),
            (256, 1024, 520),
            (0xDEAD_10CC, 666, 361),
        ] {
            assert_eq!(jump_hash(id, count), bucket, "{id} of {count}");
        }
    }

    #[test]
    fn invalid_shards_are_refused_with_the_reason() {
        assert_eq!(Shard::parse("2/8").unwrap().to_string(), "2/8");
        assert_eq!(Shard::parse("1/1"), Ok(Shard::WHOLE));
        for (text, why) in [
            ("2", "the `/` is missing"),
            ("0/8", "shards are numbered from 1 to 8"),
            ("9/8", "shards are numbered from 1 to 8"),
            ("1/0", "there can be 1 to 10000 shards"),
            ("a/8", ""),
            ("-1/8", ""),
        ] {
            assert_eq!(Shard::parse(text), Err(why.to_owned()), "{text}");
        }
    }
}
