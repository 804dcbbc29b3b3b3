//! The HTTP server: connections, authentication, answers and injected faults.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use hyper::body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accounts::Token;
use super::api;
use super::control;
use super::damage::{damage, failure, graphql_failure, page};
use super::fault::Fault;
use super::faults::Verdict;
use super::graphql::{self, QueryCost};
use super::incoming::{Api, Incoming};
use super::lookup::View;
use super::moment::Moment;
use super::params::Params;
use super::reply::Reply;
use super::response::{ConnectionReset, CuttableBody, response};
use super::state::{Recorded, Shared, State, lock_present};
use super::write_api::retry_checked;

/// Accepts connections until `stop`, then drops the open ones.
pub(super) async fn serve(listener: TcpListener, shared: Shared, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            connections.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = connection(stream, shared) => {}
                }
            });
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, shared: Shared) {
    let service = service_fn(move |request| respond(request, Arc::clone(&shared)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the simulated GitLab ended");
    }
}

/// The answer to a request, before it is sent.
struct Answered {
    reply: Reply,
    fault: Option<Fault>,
    date: Moment,
}

async fn respond(
    request: Request<body::Incoming>,
    shared: Shared,
) -> Result<Response<CuttableBody>, ConnectionReset> {
    let incoming = Incoming::read(request).await;
    let gzip = incoming.accepts_gzip();
    // A task of its own: GitLab goes on although its client has hung up.
    let answered = tokio::spawn(process(incoming, shared)).await;
    match answered {
        Ok(answered) if answered.fault == Some(Fault::Hang) => std::future::pending().await,
        Ok(answered) if answered.fault != Some(Fault::Reset) => Ok(response(
            answered.reply,
            answered.fault,
            gzip,
            answered.date,
        )),
        _ => Err(ConnectionReset),
    }
}

async fn process(incoming: Incoming, shared: Shared) -> Answered {
    let verdict = judge(&incoming, &shared);
    pause(verdict.delay_before).await;
    let checked = check_before_lock(&incoming, &shared);
    if let Some((_, window)) = checked {
        pause(window).await;
    }
    let checked = checked.map(|(job, _)| job);
    let (reply, date) = decide(&incoming, &verdict, checked, &shared);
    pause(verdict.delay).await;
    let fault = verdict.fault;
    Answered { reply, fault, date }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// The faults of a request. Requests outside the API have none.
fn judge(incoming: &Incoming, shared: &Shared) -> Verdict {
    let mut state = lock_present(shared);
    let Some(api) = incoming.api(&state.prefix) else {
        return Verdict::default();
    };
    let now = state.world.now();
    let writes = incoming.writes() && api != Api::Graphql;
    let path = &incoming.path;
    state.faults.judge(path, writes, now)
}

/// The job that a request retries, if GitLab's check allows it, and the time until GitLab takes its lock.
/// `None` if both happen at once.
fn check_before_lock(incoming: &Incoming, shared: &Shared) -> Option<(u64, Duration)> {
    let state = lock_present(shared);
    let window = state.faults.writes.race_window;
    if window.is_zero() {
        return None;
    }
    let Api::Rest(route) = incoming.api(&state.prefix)? else {
        return None;
    };
    let route = api::write_route(&incoming.method, route)?;
    let token = incoming.authenticate(&state.world).ok()?;
    let view = View {
        world: &state.world,
        user: token.user,
    };
    let job = route.check_retry(view)?.ok()?;
    Some((job, window))
}

/// Carries out a request under the lock. `checked` is a job that was found retryable before.
fn decide(
    incoming: &Incoming,
    verdict: &Verdict,
    checked: Option<u64>,
    shared: &Shared,
) -> (Reply, Moment) {
    let mut guard = lock_present(shared);
    let state = &mut *guard;
    let now = state.world.now();
    let ahead = state.faults.date_ahead();
    let date = Moment::from_unix(now.unix() + ahead.as_secs().cast_signed());
    let Some(api) = incoming.api(&state.prefix) else {
        return (outside_api(incoming, state), date);
    };
    let Outcome {
        endpoint,
        mut reply,
        user,
        cost,
    } = match api {
        Api::Rest(route) => rest(incoming, route, verdict, checked, state),
        Api::Graphql => query(incoming, verdict, state),
    };
    reply.headers.extend(verdict.headers.iter().cloned());
    damage(&mut reply, verdict.fault);
    let status = match verdict.fault {
        Some(Fault::Reset | Fault::Hang) => 0,
        _ => reply.status.as_u16(),
    };
    state.requests.push(Recorded {
        endpoint,
        target: incoming.target.clone(),
        status,
        fault: verdict.fault,
        user,
        cost,
        at: now,
    });
    (reply, date)
}

/// An answer and what is recorded of it.
struct Outcome {
    endpoint: &'static str,
    reply: Reply,
    /// Id of the token's user.
    user: Option<u64>,
    cost: Option<QueryCost>,
}

fn rest(
    incoming: &Incoming,
    route: &str,
    verdict: &Verdict,
    checked: Option<u64>,
    state: &mut State,
) -> Outcome {
    let fault = verdict.fault;
    let failing = fault.and_then(|fault| failure(fault, &state.faults));
    let refused = verdict.refused.clone().or(failing);
    let token = incoming.authenticate(&state.world);
    let user = token.as_ref().ok().map(|token| token.user);
    let (endpoint, reply) = match (refused, token) {
        (Some(refused), _) | (None, Err(refused)) => {
            (api::endpoint(&incoming.method, route), refused)
        }
        (None, Ok(token)) => carry_out(incoming, route, checked, &token, state),
    };
    Outcome {
        endpoint,
        reply,
        user,
        cost: None,
    }
}

fn query(incoming: &Incoming, verdict: &Verdict, state: &mut State) -> Outcome {
    let faults = state.faults.graphql.clone();
    let fault = verdict.fault;
    let failing = fault.and_then(|fault| graphql_failure(fault, &state.faults));
    let missing = faults.switched_off || incoming.method != Method::POST;
    let missing = missing.then(|| page(StatusCode::NOT_FOUND));
    let refused = verdict.refused.clone().or(failing).or(missing);
    let token = incoming.authenticate_query(&state.world);
    let user = token.as_ref().ok().map(|token| token.user);
    let (reply, cost) = match (refused, token) {
        (Some(refused), _) | (None, Err(refused)) => (refused, None),
        (None, Ok(token)) => {
            let world = state.answering(graphql::ENDPOINT);
            let (reply, cost) = graphql::answer(world, token.user, &incoming.body, &faults);
            (reply, Some(cost))
        }
    };
    Outcome {
        endpoint: graphql::ENDPOINT,
        reply,
        user,
        cost,
    }
}

fn carry_out(
    incoming: &Incoming,
    route: &str,
    checked: Option<u64>,
    token: &Token,
    state: &mut State,
) -> (&'static str, Reply) {
    let endpoint = api::endpoint(&incoming.method, route);
    let Some(params) = &incoming.params else {
        let refused = Reply::bad_parameter("body", "does not match declared format");
        return (endpoint, refused);
    };
    if let Some(job) = checked {
        let retried = retry_checked(&mut state.world, job, token.user);
        return (endpoint, retried.unwrap_or_else(|refused| refused));
    }
    let answer = api::answer(
        state.answering(endpoint),
        &incoming.method,
        route,
        params,
        token,
    );
    (answer.endpoint, answer.reply)
}

fn outside_api(incoming: &Incoming, state: &mut State) -> Reply {
    let Some(below) = incoming.path.strip_prefix(&state.prefix) else {
        return Reply::no_route();
    };
    let below = below.to_owned();
    let none = Params::default();
    let params = incoming.params.as_ref().unwrap_or(&none);
    control::answer(state, &incoming.method, &below, &params.query)
}
