//! Sweeps: which pipelines of many projects moved, by one request for up to 100 projects.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use ci_history::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};

use super::batch_size::BatchSize;
use super::events::SweepReport;
use super::intervals::{FEWEST_PROJECTS, FIRST_SIZE, INTERVALS_SWEPT};
use super::reader::Reader;
use super::seats::Sweeps;
use crate::config::{Api, ChildPipelines};
use crate::gitlab::{Besides, Error, MOST_PROJECTS, NotTold};

/// Projects in a row that GitLab takes too long for by themselves before all are listed by REST.
const TOO_MUCH_IN_A_ROW: u32 = 3;

/// Time without sweeps for a project that GitLab takes too long for by itself, and for all where it does not know them.
const EXEMPT: Duration = Duration::from_hours(1);

/// How much one request asks for.
struct Size {
    batch: BatchSize,
    /// What it may ask for besides: older GitLabs do not tell all of it.
    besides: Besides,
}

/// How a sweep ended.
#[derive(Debug)]
enum End {
    Whole,
    /// Some projects were not asked for. The next sweep asks again.
    Broken,
    /// This GitLab does not know such questions.
    Unsupported(Error),
}

/// One sweep.
struct Sweep {
    end: End,
    /// Projects that were told of.
    answered: usize,
    requests: usize,
}

impl Reader {
    /// Sweeps every `watch.interval`, for as long as it is polled, from [`Sweeps::begin`] on. `report` takes what each came to.
    pub(super) async fn sweep(
        &self,
        sweeps: &Sweeps,
        api: Api,
        report: impl Fn(SweepReport),
    ) -> Infallible {
        if api == Api::Rest {
            sweeps.end_first();
            return std::future::pending().await;
        }
        sweeps.have_begun().await;
        let mut size = Size {
            batch: BatchSize::new(FIRST_SIZE, MOST_PROJECTS),
            besides: Besides {
                children: self.watch.child_pipelines == ChildPipelines::Follow,
                schedules: self.watch.schedules,
            },
        };
        let mut is_told = false;
        loop {
            let next = Instant::now() + self.watch.interval;
            let wanted = sweeps.wanted();
            let are_few = api == Api::Auto && sweeps.len() < FEWEST_PROJECTS;
            if are_few {
                sweeps.note_answered(false);
            }
            if wanted.is_empty() || are_few {
                sweeps.end_first();
                report(SweepReport::default());
                sleep_until(next).await;
                continue;
            }
            let asking = self.sweep_once(sweeps, &wanted, &mut size);
            let Sweep {
                end,
                answered,
                requests,
            } = asking.await;
            sweeps.end_first();
            report(SweepReport {
                asked: wanted.len(),
                answered,
                size: if matches!(end, End::Unsupported(_)) {
                    0
                } else {
                    size.batch.now()
                },
                requests,
            });
            if !matches!(end, End::Broken) {
                sweeps.note_answered(matches!(end, End::Whole));
            }
            match end {
                End::Unsupported(error) => {
                    tracing::warn!(
                        "GitLab does not answer by GraphQL which pipelines moved, so each project is listed by REST; \
                         tried again in an hour: {error}"
                    );
                    is_told = false;
                    sleep(EXEMPT).await;
                }
                End::Whole if !is_told => {
                    is_told = true;
                    tracing::info!(
                        projects = answered,
                        "GitLab tells by GraphQL which pipelines moved"
                    );
                    sleep_until(next).await;
                }
                End::Whole | End::Broken => sleep_until(next).await,
            }
        }
    }

    /// Asks once for all of these projects.
    async fn sweep_once(
        &self,
        sweeps: &Sweeps,
        wanted: &[(Timestamp, u64)],
        size: &mut Size,
    ) -> Sweep {
        let (mut answered, mut requests) = (0, 0);
        let end = |end, answered, requests| Sweep {
            end,
            answered,
            requests,
        };
        let mut too_much = 0;
        let mut left = wanted;
        while !left.is_empty() {
            let (asked, others) = left.split_at(size.batch.now().min(left.len()));
            let since = asked.iter().map(|(since, _)| *since).min();
            let ids: Vec<u64> = asked.iter().map(|(_, id)| *id).collect();
            let asked_at = self.observations.gitlab_now();
            requests += 1;
            let pause = self.watch.idle_interval * INTERVALS_SWEPT;
            let besides = Besides {
                schedules: size.besides.schedules && sweeps.take_schedules(asked, pause),
                ..size.besides
            };
            let moved = self
                .client
                .moved_pipelines(&ids, since.unwrap_or(asked_at), besides)
                .await;
            match moved {
                Ok(mut moved) => {
                    let ids: BTreeSet<_> = ids.into_iter().collect();
                    moved.of_projects.retain(|id, _| ids.contains(id));
                    answered += moved.of_projects.len();
                    for (id, moved) in moved.of_projects {
                        sweeps.answer(id, moved, asked_at);
                    }
                    if !moved.is_cut {
                        size.batch.answered();
                    } else if !size.batch.halve() {
                        sweeps.exempt(asked, EXEMPT);
                    }
                    too_much = 0;
                    left = others;
                }
                Err(NotTold::TooMuch(error)) if size.batch.halve() => {
                    tracing::debug!(
                        projects = size.batch.now(),
                        "fewer projects at once: {error}"
                    );
                }
                Err(NotTold::TooMuch(error)) if too_much + 1 == TOO_MUCH_IN_A_ROW => {
                    return end(End::Unsupported(error), answered, requests);
                }
                Err(NotTold::TooMuch(error)) => {
                    too_much += 1;
                    tracing::warn!("the project is listed by REST for an hour: {error}");
                    sweeps.exempt(asked, EXEMPT);
                    left = others;
                }
                Err(NotTold::Unsupported(error)) if besides.schedules => {
                    tracing::info!("schedules are not asked for by GraphQL: {error}");
                    size.besides.schedules = false;
                }
                Err(NotTold::Unsupported(error)) if besides.children => {
                    tracing::info!("child pipelines are not asked for by GraphQL: {error}");
                    size.besides.children = false;
                }
                Err(NotTold::Unsupported(error)) => {
                    return end(End::Unsupported(error), answered, requests);
                }
                Err(NotTold::Failed(error)) => {
                    tracing::warn!("not all projects were swept: {error}");
                    return end(End::Broken, answered, requests);
                }
            }
        }
        end(End::Whole, answered, requests)
    }
}
