//! Tests of what is read after a restart.

use fastrand::Rng;

use super::*;
use ci_history::Status;

fn at(second: i64) -> Timestamp {
    Timestamp::of_clock(second)
}

/// Pipelines of one project, by id, as GitLab has them.
#[derive(Default)]
struct World {
    pipelines: BTreeMap<u64, PipelineObservation>,
    now: i64,
}

impl World {
    /// Some time passes, in which pipelines are created, end, and are retried.
    fn moves_on(&mut self, random: &mut Rng) {
        for _ in 0..random.usize(..6) {
            self.now += random.i64(1..200);
            let known = self.pipelines.len() as u64;
            let id = random.u64(1..known + 3);
            let status = [
                Status::Success,
                Status::Failed,
                Status::Blocked,
                Status::Running,
            ];
            let pipeline = PipelineObservation {
                id,
                ref_name: "main".into(),
                tag: false,
                sha: "abc".into(),
                status: status[random.usize(..4)],
                source: None,
                created_at: None,
                updated_at: Timestamp::from_unix(self.now),
                duration: None,
                failure_reason: None,
                has_other_jobs: false,
                web_url: None,
                commit_info: None,
                is_partial: false,
            };
            self.pipelines.insert(id, pipeline);
        }
        self.now += random.i64(1..400);
    }

    /// What GitLab lists of this time and later.
    fn listed(&self, since: Option<Timestamp>) -> Listed {
        let moved = self.pipelines.values();
        let moved: Vec<_> = moved.filter(|it| it.updated_at >= since).cloned().collect();
        Listed {
            latest: moved.iter().filter_map(|it| it.updated_at).max(),
            pipelines: moved,
            since: None,
        }
    }
}

/// One cycle in which everything wanted is read. Returns the pipelines that had moved or were not read before.
fn cycle(cursor: &mut PollCursor, world: &World) -> BTreeSet<u64> {
    let listed = world.listed(cursor.updated_after());
    let plan = cursor.take_listing(listed, at(world.now));
    let settled = ReadJobs {
        settled: true,
        ..ReadJobs::default()
    };
    for pipeline in plan.fresh.iter().chain(&plan.again) {
        // As it is by now.
        let pipeline = &world.pipelines[&pipeline.id];
        cursor.read(pipeline, settled, at(world.now));
    }
    plan.fresh.iter().map(|it| it.id).collect()
}

#[test]
fn a_later_process_reads_what_one_that_goes_on_would_read() {
    for seed in 0..300 {
        let mut random = Rng::with_seed(seed);
        let mut world = World {
            now: 1_700_000_000,
            ..World::default()
        };
        world.moves_on(&mut random);
        let mut stays = PollCursor::new(Resume::default(), at(world.now));
        for _ in 0..random.usize(1..6) {
            cycle(&mut stays, &world);
            world.moves_on(&mut random);
        }
        cycle(&mut stays, &world);
        let Some(sights) = stays.sights(at(world.now)) else {
            continue;
        };
        let open = sights.open.iter().map(|id| world.pipelines[id].clone());
        let resume = Resume {
            watermark: Some(sights.watermark),
            known_refs: BTreeSet::from(["main".into()]),
            open: open.collect(),
            sights: Some(sights),
            ..Resume::default()
        };
        let mut later = PollCursor::new(resume, at(world.now));
        assert!(
            !later.wants_backfill() && !later.is_active(at(world.now))
                || later.open.ids().count() > 0
        );
        for _ in 0..3 {
            world.moves_on(&mut random);
            let (one, other) = (cycle(&mut stays, &world), cycle(&mut later, &world));
            assert_eq!(one, other, "seed {seed}");
        }
    }
}

#[test]
fn the_first_ref_without_a_history_is_looked_for_once_more() {
    let sights = PollSights {
        asked_at: at(1000),
        watermark: at(1000),
        ended: BTreeMap::new(),
        open: BTreeSet::new(),
        has_no_schedules: false,
    };
    let resume = Resume {
        watermark: Some(at(1000)),
        known_refs: BTreeSet::from(["main".into()]),
        sights: Some(sights),
        ..Resume::default()
    };
    let mut cursor = PollCursor::new(resume, at(1000));
    assert!(!cursor.meets_new_ref(["main"].into_iter()));
    assert!(cursor.meets_new_ref(["main", "next"].into_iter()));
    assert!(cursor.wants_backfill());
    assert!(!cursor.meets_new_ref(["later"].into_iter()), "once");
}

#[test]
fn nothing_is_told_while_something_is_to_be_read() {
    let mut random = Rng::with_seed(1);
    let mut world = World::default();
    while world.pipelines.is_empty() {
        world.moves_on(&mut random);
    }
    let mut cursor = PollCursor::new(Resume::default(), at(world.now));
    assert_eq!(cursor.sights(at(world.now)), None, "nothing was listed");
    cursor.take_listing(world.listed(None), at(world.now));
    assert_eq!(cursor.sights(at(world.now)), None, "nothing was read");
    cycle(&mut cursor, &world);
    assert!(cursor.sights(at(world.now)).is_some());
}
