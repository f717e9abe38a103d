//! Credentials: applied to every attempt anew, renewed once when the service refuses them, logged in for by one caller
//! at a time.

use std::fmt;
use std::time::Duration;

use std::sync::Arc;

use http::{HeaderName, HeaderValue, header};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::{BoxFuture, Error, ErrorKind, Secret};

/// What one attempt carries to prove who is calling.
#[derive(Clone)]
pub struct Authorization {
    header: HeaderName,
    value: HeaderValue,
    secret: Secret,
}

impl Authorization {
    /// `Authorization: Bearer <token>`.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if the token is empty or cannot stand in a header (blanks, line breaks, non-ASCII).
    pub fn bearer(token: Secret) -> Result<Self, Error> {
        let value = format!("Bearer {}", token.reveal());
        Self::in_header(header::AUTHORIZATION, &value, token)
    }

    /// `value` in the header `name`; `secret` is the part of it that is masked wherever it turns up again.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if the secret is empty or cannot stand in a header.
    pub fn in_header(name: HeaderName, value: &str, secret: Secret) -> Result<Self, Error> {
        let printable = secret.reveal().bytes().all(|byte| byte.is_ascii_graphic());
        let value = HeaderValue::from_str(value).ok().filter(|_| printable && !secret.is_empty());
        let Some(mut value) = value else { return Err(unusable(&secret)) };
        value.set_sensitive(true);
        Ok(Self { header: name, value, secret })
    }

    pub(crate) fn apply(&self, headers: &mut http::HeaderMap) {
        headers.insert(self.header.clone(), self.value.clone());
    }

    /// The secret of it, for masking.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

fn unusable(secret: &Secret) -> Error {
    let message = if secret.is_empty() {
        "the token is empty"
    } else {
        "the token holds blanks, line breaks or non-ASCII"
    };
    Error::new(ErrorKind::Credentials, "authorize").with_message(message).with_hint(
        "pass the token exactly as the service handed it out, on one line, without quotes or `Bearer`",
    )
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").field("header", &self.header).field("secret", &self.secret).finish()
    }
}

/// Where authorizations come from.
pub trait Credentials: fmt::Debug + Send + Sync + 'static {
    /// The authorization for the next attempt.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] or what a login met; the call then ends as not sent.
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>>;

    /// Called once per call when the service refused `rejected`; `true` if another attempt is worthwhile.
    fn renew(&self, rejected: &Authorization) -> BoxFuture<'_, bool> {
        let _ = rejected;
        Box::pin(std::future::ready(false))
    }
}

/// A fixed bearer token.
#[derive(Debug, Clone)]
pub struct Bearer(Secret);

impl Bearer {
    /// Uses this token for every call.
    #[must_use]
    pub fn new(token: impl Into<Secret>) -> Self {
        Self(token.into())
    }
}

impl Credentials for Bearer {
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>> {
        Box::pin(std::future::ready(Authorization::bearer(self.0.clone())))
    }
}

/// What a login brings.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// What calls carry.
    pub authorization: Authorization,
    /// How long the service will accept it.
    pub lifetime: Duration,
}

/// Logs in to a service.
pub trait Login: fmt::Debug + Send + Sync + 'static {
    /// Asks the service for a new ticket.
    ///
    /// # Errors
    /// What the login met.
    fn log_in(&self) -> BoxFuture<'_, Result<Ticket, Error>>;
}

/// Credentials from a login: renewed before they run out, with a single login in flight however many calls wait.
#[derive(Debug)]
pub struct Session<L> {
    login: L,
    clock: Arc<dyn Clock>,
    margin: Duration,
    pause_after_failure: Duration,
    state: Mutex<SessionState>,
}

#[derive(Debug, Default)]
struct SessionState {
    held: Option<(Authorization, Duration)>,
    blocked_until: Option<Duration>,
}

impl<L: Login> Session<L> {
    /// A session that logs in at the first call and renews `margin` before the ticket runs out.
    #[must_use]
    pub fn new(login: L, clock: Arc<dyn Clock>, margin: Duration) -> Self {
        let pause_after_failure = Duration::ZERO;
        Self { login, clock, margin, pause_after_failure, state: Mutex::default() }
    }

    /// Refuses further logins for this long after a failed one, so that a wrong password is not hammered.
    #[must_use]
    pub fn pause_after_failure(mut self, pause: Duration) -> Self {
        self.pause_after_failure = pause;
        self
    }

    async fn current(&self) -> Result<Authorization, Error> {
        // Held across the login on purpose: whoever comes meanwhile waits here and then finds the new ticket.
        let mut state = self.state.lock().await;
        let now = self.clock.elapsed();
        if let Some((authorization, _)) = state.held.as_ref().filter(|(_, renew_at)| now < *renew_at) {
            return Ok(authorization.clone());
        }
        if let Some(until) = state.blocked_until.filter(|until| now < *until) {
            return Err(login_paused(until.saturating_sub(now)));
        }
        self.renewed(&mut state).await
    }

    async fn renewed(&self, state: &mut SessionState) -> Result<Authorization, Error> {
        match self.login.log_in().await {
            Ok(ticket) => {
                let valid = ticket.lifetime.saturating_sub(self.margin);
                // Saturating: a ticket without an end may well be given as `Duration::MAX`.
                let renew_at = self.clock.elapsed().saturating_add(valid);
                state.held = Some((ticket.authorization.clone(), renew_at));
                state.blocked_until = None;
                Ok(ticket.authorization)
            }
            Err(error) => {
                state.blocked_until = Some(self.clock.elapsed().saturating_add(self.pause_after_failure));
                Err(error)
            }
        }
    }
}

fn login_paused(wait: Duration) -> Error {
    Error::new(ErrorKind::Credentials, "log in")
        .with_message("the last login failed")
        .with_retry_after(Some(wait))
        .with_hint("check user name and password; the next login is tried after the pause")
}

impl<L: Login> Credentials for Session<L> {
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>> {
        Box::pin(self.current())
    }

    fn renew(&self, rejected: &Authorization) -> BoxFuture<'_, bool> {
        let rejected = rejected.secret().clone();
        Box::pin(async move {
            let mut state = self.state.lock().await;
            // Somebody else may have renewed while this call was under way: then its ticket is simply old.
            if state.held.as_ref().is_some_and(|(held, _)| held.secret().matches(rejected.reveal())) {
                state.held = None;
            }
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::clock::ManualClock;

    #[derive(Debug)]
    struct CountingLogin {
        logins: AtomicU32,
        fail: bool,
        lifetime: Duration,
    }

    impl Login for CountingLogin {
        fn log_in(&self) -> BoxFuture<'_, Result<Ticket, Error>> {
            Box::pin(async move {
                let number = self.logins.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                if self.fail {
                    return Err(Error::new(ErrorKind::Authentication, "log in"));
                }
                let authorization = Authorization::bearer(Secret::new(format!("ticket-{number}")))?;
                Ok(Ticket { authorization, lifetime: self.lifetime })
            })
        }
    }

    fn session(fail: bool) -> (Arc<Session<CountingLogin>>, ManualClock) {
        session_of(fail, Duration::from_secs(100))
    }

    fn session_of(fail: bool, lifetime: Duration) -> (Arc<Session<CountingLogin>>, ManualClock) {
        let clock = ManualClock::new();
        let login = CountingLogin { logins: AtomicU32::new(0), fail, lifetime };
        let session = Session::new(login, Arc::new(clock.clone()), Duration::from_secs(10));
        (Arc::new(session.pause_after_failure(Duration::from_secs(30))), clock)
    }

    #[tokio::test]
    async fn a_thousand_callers_share_one_login() {
        let (session, _) = session(false);
        let callers: Vec<_> = (0..1000)
            .map(|_| {
                let session = session.clone();
                tokio::spawn(async move { session.authorize().await.unwrap() })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap().secret().reveal(), "ticket-0");
        }
        assert_eq!(session.login.logins.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn renews_before_the_ticket_runs_out() {
        let (session, clock) = session(false);
        session.authorize().await.unwrap();
        clock.advance(Duration::from_secs(89));
        assert_eq!(session.authorize().await.unwrap().secret().reveal(), "ticket-0");
        clock.advance(Duration::from_secs(1));
        assert_eq!(session.authorize().await.unwrap().secret().reveal(), "ticket-1");
    }

    #[tokio::test]
    async fn a_ticket_without_an_end_is_kept() {
        let (session, clock) = session_of(false, Duration::MAX);
        clock.advance(Duration::from_secs(1000));
        session.authorize().await.unwrap();
        clock.advance(Duration::from_secs(1_000_000_000));
        assert_eq!(session.authorize().await.unwrap().secret().reveal(), "ticket-0");
    }

    #[tokio::test]
    async fn a_rejected_ticket_is_replaced_once_even_if_many_report_it() {
        let (session, _) = session(false);
        let old = session.authorize().await.unwrap();
        assert!(session.renew(&old).await);
        session.authorize().await.unwrap();
        assert!(session.renew(&old).await);
        assert_eq!(session.authorize().await.unwrap().secret().reveal(), "ticket-1");
    }

    #[tokio::test]
    async fn a_failed_login_is_not_hammered() {
        let (session, clock) = session(true);
        assert_eq!(session.authorize().await.unwrap_err().kind(), ErrorKind::Authentication);
        assert_eq!(session.authorize().await.unwrap_err().kind(), ErrorKind::Credentials);
        clock.advance(Duration::from_secs(30));
        assert_eq!(session.authorize().await.unwrap_err().kind(), ErrorKind::Authentication);
        assert_eq!(session.login.logins.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn tokens_that_would_break_the_header_are_refused_without_being_shown() {
        for bad in ["", "two words", "line\nbreak", "tab\there", "ñandú-token"] {
            let error = Authorization::bearer(Secret::new(bad)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credentials);
            assert!(bad.is_empty() || !format!("{error} {error:?}").contains(bad));
        }
    }
}
