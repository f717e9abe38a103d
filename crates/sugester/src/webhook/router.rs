//! The receiver as routes of axum.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;

use super::receiver::Receiver;
use super::route::Route;

/// Routes for a receiver, to be nested where its URLs point: `/client`, `/invoice`, `/product`, `/open`, each also with one more segment
/// for the secret. Any other path is axum's 404. The receiver's own limits apply; axum's do not, since the body is read as a stream.
///
/// ```no_run
/// # fn receiver() -> sugester::webhook::Receiver { unimplemented!() }
/// let app: axum::Router = axum::Router::new().nest("/bitfactura", sugester::webhook::router(receiver()));
/// ```
pub fn router(receiver: Receiver) -> Router {
    let mut router = Router::new();
    for route in Route::ALL {
        let serve = post(move |State(receiver): State<Receiver>, request: Request| async move {
            respond(&receiver, route, request).await
        });
        let path = format!("/{route}");
        router = router.route(&path, serve.clone()).route(&format!("{path}/{{secret}}"), serve);
    }
    router.with_state(receiver)
}

async fn respond(receiver: &Receiver, route: Route, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reply = receiver.receive(route, &parts, body.into_data_stream()).await;
    reply.into_response().map(Body::from)
}
