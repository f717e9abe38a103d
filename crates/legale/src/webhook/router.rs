//! The receiver as routes of axum.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;

use super::callback::Route;
use super::receiver::Receiver;

/// Routes for a receiver, to be nested where its URLs point: `/document` and `/signer`, each also with one more segment for the
/// secret. The receiver's own limits apply; axum's do not, since the body is read as a stream.
///
/// ```no_run
/// # fn receiver() -> legale::webhook::Receiver { unimplemented!() }
/// let app: axum::Router = axum::Router::new().nest("/legale", legale::webhook::router(receiver()));
/// ```
pub fn router(receiver: Receiver) -> Router {
    Router::new()
        .route("/document", post(document))
        .route("/document/{token}", post(document))
        .route("/signer", post(signer))
        .route("/signer/{token}", post(signer))
        .with_state(receiver)
}

async fn document(State(receiver): State<Receiver>, request: Request) -> Response {
    respond(&receiver, Route::Document, request).await
}

async fn signer(State(receiver): State<Receiver>, request: Request) -> Response {
    respond(&receiver, Route::Signer, request).await
}

async fn respond(receiver: &Receiver, route: Route, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reply = receiver.receive(route, &parts, body.into_data_stream()).await;
    reply.into_response().map(Body::from)
}
