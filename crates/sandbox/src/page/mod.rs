//! The sandbox's page: what happens in the simulators, for people to look at and to play with.
//!
//! Rendered by the server and whole without a script; the one script makes it live. Nothing is loaded from elsewhere,
//! and only a browser that was pointed at this machine is served (see [`guard`]).
//!
//! To add a view: a module here with a `VIEW`, a template that extends `layout.html`, and a line in [`VIEWS`].
//! A `<section data-live="name" id="…">` of a view is fetched again whenever something happened at one of the
//! services named there (several names with blanks between; empty for any).

mod apiges;
mod crm;
mod faults;
mod fiscal;
mod geosite;
mod guard;
mod legale;
mod live;
mod overview;
mod program;
mod requests;
mod state;
mod try_out;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use tower_service::Service as _;

use crate::answer::Outcome;
use crate::control::Control;
use crate::server::{Handler, Request};

/// A view has its own place in the menu and its own routes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Where it is, such as `/fiscal`.
    pub(crate) path: &'static str,
    /// Its name in the menu.
    pub(crate) name: &'static str,
    /// Its pages and forms; every path begins with [`path`](Self::path).
    pub(crate) routes: fn() -> Router<Shared>,
}

/// Every view, in the order of the menu.
const VIEWS: &[View] = &[
    overview::VIEW,
    fiscal::VIEW,
    legale::VIEW,
    crm::VIEW,
    geosite::VIEW,
    apiges::VIEW,
    faults::VIEW,
    state::VIEW,
];

/// What every view can reach: the handles of all simulators.
pub(crate) type Shared = Arc<Control>;

/// What the layout needs to know about the page it frames.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) title: &'static str,
    here: &'static str,
}

impl Frame {
    pub(crate) fn of(view: View) -> Self {
        Self { title: view.name, here: view.path }
    }

    /// A page below a view.
    pub(crate) fn below(view: View, title: &'static str) -> Self {
        Self { title, here: view.path }
    }

    fn views(self) -> &'static [View] {
        VIEWS
    }
}

/// A page, an error if its template fails.
pub(crate) fn show(template: &impl Template) -> axum::response::Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// After a form: the page it was on is fetched again.
pub(crate) fn back_to(path: &str) -> axum::response::Response {
    Redirect::to(path).into_response()
}

/// A page that says what went wrong, and how to get back.
#[derive(Template)]
#[template(path = "trouble.html")]
struct Trouble<'a> {
    frame: Frame,
    what: &'a str,
    back: &'a str,
}

/// Why a form could not be done.
pub(crate) fn trouble(view: View, what: &str) -> axum::response::Response {
    let page = Trouble { frame: Frame::below(view, "Not done"), what, back: view.path };
    (StatusCode::BAD_REQUEST, show(&page)).into_response()
}

/// The one port of page and control API.
#[derive(Debug)]
pub(crate) struct Front {
    control: Shared,
    pages: Router,
}

impl Front {
    pub(crate) fn new(control: Control) -> Self {
        let control = Arc::new(control);
        let views = VIEWS.iter().fold(Router::new(), |all, view| all.merge((view.routes)()));
        let pages = views
            .merge(requests::routes())
            .route("/live", get(live::events))
            .route("/page.css", get(|| asset("text/css; charset=utf-8", STYLE)))
            .route(
                "/page.js",
                get(|| asset("text/javascript; charset=utf-8", include_str!("assets/page.js"))),
            )
            .route("/icon.svg", get(|| asset("image/svg+xml", include_str!("assets/icon.svg"))));
        Self { pages: pages.with_state(Arc::clone(&control)), control }
    }
}

impl Handler for Front {
    async fn handle(self: Arc<Self>, request: Request) -> Outcome {
        if let Some(refusal) = guard::refused(request.method(), request.headers()) {
            return Outcome::Answer(refusal);
        }
        let changes = request.method() != Method::GET;
        let outcome = if request.uri().path().starts_with("/_sandbox") {
            Arc::clone(&self.control).handle(request).await
        } else {
            self.page(request).await
        };
        if changes {
            self.control.tape.touch();
        }
        outcome
    }
}

impl Front {
    async fn page(&self, request: Request) -> Outcome {
        let answered: Result<_, std::convert::Infallible> = Box::pin(self.pages.clone().call(request)).await;
        match answered {
            Ok(response) => Outcome::Live(secured(response)),
            Err(never) => match never {},
        }
    }
}

/// Only what the sandbox itself serves may be loaded, run, framed or sent to.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

fn secured<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The frame's style, then that of views that need more.
const STYLE: &str = concat!(include_str!("assets/page.css"), include_str!("assets/views.css"));

async fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind)], text)
}
