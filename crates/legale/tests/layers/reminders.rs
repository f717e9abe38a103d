use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use legale::flow::{Flow, SignMethod, Signer};
use legale::reminder::{Action, Book, FlowState, Flows, Notifier, Observer, Policy, Runner};
use legale::{BoxFuture, Clock, DocumentId, Error, ErrorKind, ManualClock, Timestamp};

/// A book in memory, a notifier that fails when told to, and an observer, in one.
#[derive(Default)]
struct Desk {
    flows: Mutex<Flows>,
    sent: Mutex<Vec<(i64, String)>>,
    failing: AtomicUsize,
    failures: AtomicUsize,
    clock: ManualClock,
}

impl Book for Desk {
    fn flows(&self) -> BoxFuture<'_, Result<Flows, Error>> {
        Box::pin(std::future::ready(Ok(self.flows.lock().unwrap().clone())))
    }

    fn claim<'a>(
        &'a self,
        id: &'a DocumentId,
        action: &'a Action,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        self.flows.lock().unwrap().get_mut(id).unwrap().record(action, at);
        Box::pin(std::future::ready(Ok(true)))
    }

    fn release<'a>(&'a self, id: &'a DocumentId, action: &'a Action) -> BoxFuture<'a, Result<(), Error>> {
        let mut flows = self.flows.lock().unwrap();
        let signer = &mut flows.get_mut(id).unwrap().signers[action.index];
        (signer.sent_count, signer.last_sent_at) = (action.attempt - 1, None);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Notifier for Desk {
    fn notify<'a>(&'a self, _: &'a DocumentId, action: &'a Action) -> BoxFuture<'a, Result<(), Error>> {
        let fails =
            self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        if !fails {
            self.sent.lock().unwrap().push((self.clock.wall().as_second(), action.signer.clone()));
        }
        let error = Error::new(ErrorKind::Connect, "mail");
        Box::pin(std::future::ready(if fails { Err(error) } else { Ok(()) }))
    }
}

impl Observer for Desk {
    fn failed(&self, _: Option<&DocumentId>, _: &Error) {
        self.failures.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_runner_sends_each_reminder_once_and_tries_again_what_failed() {
    let desk = Arc::new(Desk::default());
    let flow = Flow::sequential()
        .signer(Signer::outsider(SignMethod::NoSms, "a@b"))
        .signer(Signer::outsider(SignMethod::NoSms, "c@d"))
        .build()
        .unwrap();
    let state = FlowState::of(&flow, desk.clock.wall());
    desk.flows.lock().unwrap().insert("g".parse().unwrap(), state);
    desk.failing.store(1, Ordering::SeqCst);
    let mut policy = Policy::default();
    policy.max_per_signer = 3;
    let runner = Runner::new(policy, desk.clone(), desk.clone()).unwrap();
    let runner = runner.clock(Arc::new(desk.clock.clone())).observer(desk.clone());
    runner.longest_pause(Duration::from_secs(3600)).run().await.unwrap();
    let sent = desk.sent.lock().unwrap().clone();
    // The first is due on day 2 at 13:00, fails, and goes out at the next look, an hour later. Three days on it is 14:00, so the
    // second waits for 13:00 of day 6.
    let hours: Vec<_> = sent.iter().map(|(second, _)| second / 3600).collect();
    assert_eq!(hours, [2 * 24 + 14, 6 * 24 + 13, 9 * 24 + 13]);
    assert!(sent.iter().all(|(_, signer)| signer == "a@b"));
    assert_eq!(desk.failures.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_last_reminder_is_tried_again_too() {
    let desk = Arc::new(Desk::default());
    let flow = Flow::parallel().signer(Signer::outsider(SignMethod::NoSms, "a@b")).build().unwrap();
    desk.flows.lock().unwrap().insert("g".parse().unwrap(), FlowState::of(&flow, desk.clock.wall()));
    desk.failing.store(3, Ordering::SeqCst);
    let mut policy = Policy::default();
    policy.max_per_signer = 1;
    let runner = Runner::new(policy, desk.clone(), desk.clone()).unwrap();
    runner.clock(Arc::new(desk.clock.clone())).observer(desk.clone()).run().await.unwrap();
    assert_eq!((desk.sent.lock().unwrap().len(), desk.failures.load(Ordering::SeqCst)), (1, 3));
}
