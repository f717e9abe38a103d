//! Sessions: logged in for by one caller at a time, renewed before they run out, refreshed where the service has a way.
//!
//! The rule enforced here: however many calls wait, one login is in flight, and all who waited for it get its result, be it a
//! ticket or a failure. A wrong password costs one request, not one for every call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::auth::{Authorization, Credentials};
use crate::clock::Clock;
use crate::{BoxFuture, Error, ErrorKind, Secret};

/// What a login brings.
///
/// ```
/// use std::time::Duration;
/// use integration_core::Secret;
/// use integration_core::call::{Authorization, Ticket};
///
/// let authorization = Authorization::bearer(Secret::new("access"))?;
/// let ticket = Ticket::new(authorization, Duration::from_secs(30 * 60))
///     .with_refresh(Secret::new("refresh"), Duration::from_secs(30 * 24 * 3600));
/// # Ok::<(), integration_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Ticket {
    authorization: Authorization,
    lifetime: Duration,
    refresh: Option<(Secret, Duration)>,
}

impl Ticket {
    /// What calls carry, and how long the service will accept it.
    pub fn new(authorization: Authorization, lifetime: Duration) -> Self {
        Self { authorization, lifetime, refresh: None }
    }

    /// Adds what the service takes in place of a password, and for how long it does.
    pub fn with_refresh(mut self, secret: Secret, lifetime: Duration) -> Self {
        self.refresh = Some((secret, lifetime));
        self
    }

    /// What calls carry.
    #[must_use]
    pub fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    /// What the service takes in place of a password, if it gave one.
    #[must_use]
    pub fn refresh(&self) -> Option<&Secret> {
        self.refresh.as_ref().map(|(secret, _)| secret)
    }
}

/// Logs in to a service.
pub trait Login: fmt::Debug + Send + Sync + 'static {
    /// Asks the service for a new ticket. With a `previous` one, whose [`refresh`](Ticket::refresh) secret is there and
    /// still good, by way of it; otherwise with the password.
    ///
    /// A refreshed ticket without a refresh secret of its own keeps the previous one's. When the service refuses a refresh, a
    /// login without a `previous` ticket follows at once.
    ///
    /// # Errors
    /// What the login met.
    fn log_in<'a>(&'a self, previous: Option<&'a Ticket>) -> BoxFuture<'a, Result<Ticket, Error>>;
}

/// Credentials from a login: renewed before they run out, with a single login in flight however many calls wait.
#[derive(Debug)]
pub struct Session<L> {
    login: L,
    clock: Arc<dyn Clock>,
    margin: Duration,
    pause_after_failure: Duration,
    /// How many logins have failed, readable by those who are about to wait.
    failures: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    failed: Option<Failed>,
}

impl State {
    fn current(&self, now: Duration) -> Option<Authorization> {
        let held = self.held.as_ref().filter(|held| now < held.renew_at)?;
        Some(held.ticket.authorization.clone())
    }
}

/// A ticket with its moments on the session's clock.
#[derive(Debug, Clone)]
struct Held {
    ticket: Ticket,
    /// Zero once the service has refused it.
    renew_at: Duration,
    refresh_until: Duration,
}

struct Failed {
    error: Error,
    blocked_until: Duration,
}

/// Clients are printed where errors are not, and the service's own words may repeat who logs in.
impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed").field("kind", &self.error.kind()).finish_non_exhaustive()
    }
}

impl<L: Login> Session<L> {
    /// A session that logs in at the first call and renews `margin` before the ticket runs out.
    #[must_use]
    pub fn new(login: L, clock: Arc<dyn Clock>, margin: Duration) -> Self {
        let pause_after_failure = Duration::ZERO;
        let failures = AtomicU64::new(0);
        Self { login, clock, margin, pause_after_failure, failures, state: Mutex::default() }
    }

    /// Refuses further logins for this long after one that the service refused or answered wrongly, so that a wrong password is not
    /// hammered. A login that never reached the service, or whose answer was lost, blocks nothing.
    #[must_use]
    pub fn pause_after_failure(mut self, pause: Duration) -> Self {
        self.pause_after_failure = pause;
        self
    }

    async fn current(&self) -> Result<Authorization, Error> {
        let failures_before = self.failures.load(Ordering::SeqCst);
        // Held across the login on purpose: whoever comes meanwhile waits here and then finds its result. A login that is
        // dropped under way gives the lock back without a result, and the next in line logs in.
        let mut state = self.state.lock().await;
        let now = self.clock.elapsed();
        if let Some(authorization) = state.current(now) {
            return Ok(authorization);
        }
        let failed_meanwhile = self.failures.load(Ordering::SeqCst) != failures_before;
        match &state.failed {
            Some(failed) if failed_meanwhile => return Err(failed.error.clone()),
            Some(failed) if now < failed.blocked_until => return Err(paused(failed, now)),
            _ => {}
        }
        self.renewed(&mut state).await
    }

    async fn renewed(&self, state: &mut State) -> Result<Authorization, Error> {
        match self.next(state.held.as_ref()).await {
            Ok(held) => {
                let authorization = held.ticket.authorization.clone();
                *state = State { held: Some(held), failed: None };
                Ok(authorization)
            }
            Err(error) => {
                let pause = if answered(&error) { self.pause_after_failure } else { Duration::ZERO };
                let blocked_until = self.clock.elapsed().saturating_add(pause);
                state.failed = Some(Failed { error: error.clone(), blocked_until });
                self.failures.fetch_add(1, Ordering::SeqCst);
                Err(error)
            }
        }
    }

    /// Refreshes if that is possible, else logs in.
    async fn next(&self, held: Option<&Held>) -> Result<Held, Error> {
        let now = self.clock.elapsed();
        let Some(held) = held.filter(|held| held.ticket.refresh.is_some() && now < held.refresh_until) else {
            return self.login.log_in(None).await.map(|ticket| self.hold(ticket, None));
        };
        match self.login.log_in(Some(&held.ticket)).await {
            Ok(ticket) => Ok(self.hold(ticket, Some(held))),
            // The service answered, so it can be asked: what it no longer takes is the refresh secret.
            Err(error) if answered(&error) => {
                self.login.log_in(None).await.map(|ticket| self.hold(ticket, None))
            }
            Err(error) => Err(error),
        }
    }

    fn hold(&self, mut ticket: Ticket, previous: Option<&Held>) -> Held {
        let now = self.clock.elapsed();
        // Saturating: a ticket without an end may well be given as `Duration::MAX`.
        let renew_at = now.saturating_add(ticket.lifetime.saturating_sub(self.margin));
        let kept = previous.filter(|_| ticket.refresh.is_none());
        let refresh_until = match (&ticket.refresh, kept) {
            (Some((_, lifetime)), _) => now.saturating_add(*lifetime),
            (None, Some(kept)) => kept.refresh_until,
            (None, None) => Duration::ZERO,
        };
        if let Some(kept) = kept {
            ticket.refresh.clone_from(&kept.ticket.refresh);
        }
        Held { ticket, renew_at, refresh_until }
    }
}

fn answered(error: &Error) -> bool {
    error.is_refused() || error.status().is_some()
}

fn paused(failed: &Failed, now: Duration) -> Error {
    Error::new(ErrorKind::Credentials, "log in")
        .with_message("the last login failed")
        .with_retry_after(Some(failed.blocked_until.saturating_sub(now)))
        .with_hint("check user name and password; the next login is tried after the pause")
        .with_source(failed.error.clone())
}

impl<L: Login> Credentials for Session<L> {
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>> {
        Box::pin(self.current())
    }

    fn at_hand(&self) -> Option<Authorization> {
        // While somebody logs in the lock is held, and the others wait in line.
        self.state.try_lock().ok()?.current(self.clock.elapsed())
    }

    fn renew(&self, rejected: &Authorization) -> BoxFuture<'_, bool> {
        let rejected = rejected.secret().clone();
        Box::pin(async move {
            let mut state = self.state.lock().await;
            // Somebody else may have renewed while this call was under way: then its ticket is simply old.
            if let Some(held) = &mut state.held
                && held.ticket.authorization.secret().matches(rejected.reveal())
            {
                held.renew_at = Duration::ZERO;
            }
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;
    use crate::clock::ManualClock;

    /// What the next logins meet, and what they were asked with.
    #[derive(Debug)]
    struct CountingLogin {
        logins: AtomicU32,
        fail: bool,
        answered: bool,
        hang: Arc<AtomicU32>,
        lifetime: Duration,
        refresh: Option<Duration>,
        refuse_refresh: bool,
        asked_with: std::sync::Mutex<Vec<Option<String>>>,
    }

    impl CountingLogin {
        fn failure(&self, previous: Option<&Ticket>) -> Option<Error> {
            if self.fail && !self.answered {
                return Some(Error::new(ErrorKind::Connect, "log in"));
            }
            let refused = self.refuse_refresh && previous.is_some();
            let error = Error::new(ErrorKind::Authentication, "log in");
            (self.fail || refused).then(|| error.with_outcome(crate::Outcome::Refused))
        }
    }

    impl Login for CountingLogin {
        fn log_in<'a>(&'a self, previous: Option<&'a Ticket>) -> BoxFuture<'a, Result<Ticket, Error>> {
            Box::pin(async move {
                let number = self.logins.fetch_add(1, Ordering::SeqCst);
                let asked_with = previous.and_then(Ticket::refresh).map(|secret| secret.reveal().to_owned());
                self.asked_with.lock().unwrap().push(asked_with);
                tokio::task::yield_now().await;
                if self.hang.load(Ordering::SeqCst) > number {
                    std::future::pending::<()>().await;
                }
                if let Some(error) = self.failure(previous) {
                    return Err(error);
                }
                let authorization = Authorization::bearer(Secret::new(format!("ticket-{number}")))?;
                let ticket = Ticket::new(authorization, self.lifetime);
                // A refreshed ticket brings no refresh secret of its own.
                Ok(match self.refresh.filter(|_| previous.is_none()) {
                    Some(life) => ticket.with_refresh(Secret::new(format!("refresh-{number}")), life),
                    None => ticket,
                })
            })
        }
    }

    fn login() -> CountingLogin {
        CountingLogin {
            logins: AtomicU32::new(0),
            fail: false,
            answered: true,
            hang: Arc::default(),
            lifetime: Duration::from_secs(100),
            refresh: None,
            refuse_refresh: false,
            asked_with: std::sync::Mutex::default(),
        }
    }

    fn session(fail: bool) -> (Arc<Session<CountingLogin>>, ManualClock) {
        session_of(CountingLogin { fail, ..login() })
    }

    fn session_of(login: CountingLogin) -> (Arc<Session<CountingLogin>>, ManualClock) {
        let clock = ManualClock::new();
        let session = Session::new(login, Arc::new(clock.clone()), Duration::from_secs(10));
        (Arc::new(session.pause_after_failure(Duration::from_secs(30))), clock)
    }

    fn asked_with(session: &Session<CountingLogin>) -> Vec<Option<String>> {
        session.login.asked_with.lock().unwrap().clone()
    }

    async fn let_others_run() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn those_who_waited_for_a_failed_login_share_its_failure() {
        let (session, _) = session(true);
        let callers: Vec<_> = (0..1000)
            .map(|_| {
                let session = session.clone();
                tokio::spawn(async move { session.authorize().await.unwrap_err() })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap().kind(), ErrorKind::Authentication);
        }
        assert_eq!(session.login.logins.load(Ordering::SeqCst), 1);
        let later = session.authorize().await.unwrap_err();
        assert_eq!(later.kind(), ErrorKind::Credentials);
        assert!(later.find_source::<Error>().is_some_and(|cause| cause.kind() == ErrorKind::Authentication));
    }

    #[tokio::test]
    async fn a_login_that_is_dropped_under_way_leaves_the_next_caller_free_to_log_in() {
        let (session, _) = session_of(CountingLogin { hang: Arc::new(AtomicU32::new(1)), ..login() });
        let spawn = || {
            let session = session.clone();
            tokio::spawn(async move { session.authorize().await })
        };
        let (first, second) = (spawn(), spawn());
        let_others_run().await;
        assert_eq!(session.login.logins.load(Ordering::SeqCst), 1);
        first.abort();
        assert_eq!(second.await.unwrap().unwrap().secret().reveal(), "ticket-1");
    }

    const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

    #[tokio::test]
    async fn a_ticket_is_refreshed_while_its_refresh_secret_lives_and_keeps_it() {
        let (session, clock) =
            session_of(CountingLogin { refresh: Some(Duration::from_secs(250)), ..login() });
        for _ in 0..4 {
            session.authorize().await.unwrap();
            clock.advance(Duration::from_secs(90));
        }
        let refresh = Some("refresh-0".to_owned());
        assert_eq!(asked_with(&session), [None, refresh.clone(), refresh, None]);
    }

    #[tokio::test]
    async fn a_refused_refresh_is_followed_by_one_full_login() {
        let refused = CountingLogin { refresh: Some(MONTH), refuse_refresh: true, ..login() };
        let (session, clock) = session_of(refused);
        session.authorize().await.unwrap();
        clock.advance(Duration::from_secs(90));
        assert_eq!(session.authorize().await.unwrap().secret().reveal(), "ticket-2");
        assert_eq!(asked_with(&session), [None, Some("refresh-0".to_owned()), None]);
    }

    #[tokio::test]
    async fn a_rejected_ticket_is_refreshed_too() {
        let (session, _) = session_of(CountingLogin { refresh: Some(MONTH), ..login() });
        let old = session.authorize().await.unwrap();
        assert!(session.renew(&old).await);
        session.authorize().await.unwrap();
        assert_eq!(asked_with(&session), [None, Some("refresh-0".to_owned())]);
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
        let (session, clock) = session_of(CountingLogin { lifetime: Duration::MAX, ..login() });
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
    async fn a_login_that_got_no_answer_blocks_nothing() {
        let (session, _) = session_of(CountingLogin { fail: true, answered: false, ..login() });
        for _ in 0..2 {
            assert_eq!(session.authorize().await.unwrap_err().kind(), ErrorKind::Connect);
        }
        assert_eq!(session.login.logins.load(Ordering::SeqCst), 2);
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
}
