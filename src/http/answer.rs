//! Answers one request of a connection, within the bounds of all connections.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body::Body;

use super::connections::Connection;
use super::content::Content;
use super::deadline::Timed;
use super::response::{Response, come_again, insert, readable, refusal, secured};
use super::routes::{SCRAPED_PATH, Service, is_essential};
use super::web_config::WebConfig;

/// Answers a request. Scrapes and probes are answered also while everything else is refused.
pub(super) async fn answer<B>(
    connection: &Connection,
    service: &Service,
    web: Option<&WebConfig>,
    request: Request<B>,
) -> http::Response<Timed<Content>>
where
    B: Body<Data = Bytes>,
{
    let request = service.enter(request);
    let path = request.uri().path().to_owned();
    let mut turn = connection.begin(path == SCRAPED_PATH);
    if !is_essential(&path) && connection.is_extra() {
        let message = "all connections are busy; try again in a moment";
        let mut response = refused(&path, message);
        insert(&mut response, header::CONNECTION, "close");
        return response.map(|body| turn.over(body));
    }
    let mut response = readable(&path, admitted(service, web, request).await);
    let bytes = response.body().held_bytes();
    if !connection.hold(&mut turn, bytes) && !is_essential(&path) {
        let message = "other clients are slow to read their answers; try again in a moment";
        response = refused(&path, message);
    }
    response.map(|body| turn.over(body))
}

/// Answers a request if its user may ask, and with the configured headers.
async fn admitted<B>(service: &Service, web: Option<&WebConfig>, request: Request<B>) -> Response
where
    B: Body<Data = Bytes>,
{
    let Some(web) = web else {
        return service.respond(request).await;
    };
    let active = web.current().await;
    let has_own_secret = service.has_own_secret(request.uri().path());
    let refusal = active.refusal(web.checks(), &request, has_own_secret);
    let mut response = match refusal.await {
        Some(refusal) => secured(refusal),
        None => service.respond(request).await,
    };
    active.add_headers(&mut response);
    response
}

fn refused(path: &str, message: &str) -> Response {
    let response = refusal(path, StatusCode::SERVICE_UNAVAILABLE, message);
    secured(come_again(response, "5"))
}
