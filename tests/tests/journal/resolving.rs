//! Contract 9.3, step by step.

use std::sync::atomic::{AtomicI64, Ordering};

use fiscal_printer::journal::{
    Evidence, Finding, NextNumberProbe, OutcomeProbe, Progress, Question, Ruling, StatusProbe,
};
use fiscal_printer::{BoxFuture, Clock};
use jiff::{SignedDuration, Timestamp};

use super::*;

#[tokio::test]
async fn the_delay_is_twice_the_total_timeout_and_never_less_than_it() {
    let bench = bench().await;
    assert_eq!(bench.journal.settling_delay(), DELAY);
    let client = || client_on(bench.fiscal(), bench.fiscal().token(), &bench.clock);
    let with = |delay| Journal::builder(client(), &bench.store).settling_delay(delay).build();
    assert!(with(Duration::from_secs(60)).is_ok());
    let error = with(Duration::from_millis(59_999)).unwrap_err();
    assert!(error.is_validation() && error.faults()[0].path() == "settling_delay", "{error}");
    let builder = Journal::builder(client(), &bench.store).settings_from_lookup(|_| Some("59".to_owned()));
    assert!(builder.unwrap().build().unwrap_err().is_validation());
}

#[tokio::test]
async fn found_counts_at_once() {
    let bench = bench_with(|builder| builder.probe(StatusProbe)).await;
    bench.fiscal().enable_probes(true);
    bench.lose_acted(1).await;
    let entry = bench.resolve_settled(1).await;
    assert_eq!((entry.state(), entry.evidence()), (DocumentState::Issued, Some(Evidence::Probe)));
    assert_eq!(entry.control_text(), Some("00-00000001"));
    assert!(bench.clock.slept().is_empty());
    assert_eq!(bench.issues().len(), 1);
}

#[tokio::test]
async fn not_found_counts_only_after_the_delay() {
    let bench = bench_with(|builder| builder.probe(StatusProbe)).await;
    bench.fiscal().enable_probes(true);
    bench.lose_unacted(1).await;
    bench.clock.advance(DELAY - Duration::from_secs(1));
    let resumed = bench.journal.resume().await.unwrap();
    assert_eq!(resumed.open[0].because, Because::Settling(Duration::from_secs(1)));
    assert_eq!((bench.issues().len(), bench.state(1).await), (1, DocumentState::Unknown));
    let entry = bench.resolve_settled(1).await;
    assert_eq!(bench.clock.slept().iter().sum::<Duration>(), Duration::from_secs(1));
    assert_eq!((entry.state(), entry.control_text()), (DocumentState::Issued, Some("00-00000001")));
    assert_same_bytes(&bench, 2);
}

fn assert_same_bytes(bench: &Bench, requests: usize) {
    let sent = bench.issues();
    assert_eq!(sent.len(), requests);
    assert!(sent.iter().all(|request| request.body == sent[0].body), "byte for byte");
}

/// A document that appears while the delay runs is found then, not sent again.
#[tokio::test]
async fn what_arrives_late_is_found_within_the_delay() {
    let bench = bench_with(|builder| builder.probe(StatusProbe)).await;
    bench.fiscal().enable_probes(true);
    bench.lose_unacted(1).await;
    assert_eq!(bench.journal.resume().await.unwrap().open.len(), 1);
    let body = String::from_utf8(bench.issues()[0].body.to_vec()).unwrap();
    let (status, _) = support::raw_post(bench.fiscal(), bench.fiscal().token(), "/facturacion", &body).await;
    assert_eq!(status, 200, "the lost request acts late");
    let resumed = bench.journal.resume().await.unwrap();
    assert_eq!(resumed.settled[0].control_text(), Some("00-00000001"));
    assert_eq!(bench.fiscal().documents().len(), 1);
}

fn json(body: &str) -> Scripted {
    Scripted::new(200).header("content-type", "application/json").body(body)
}

/// Answers that say nothing about the document leave the state as it is: no person's knowledge, no resend.
#[tokio::test]
async fn a_probe_that_does_not_answer_the_question_changes_nothing() {
    let answers = [
        Scripted::new(404).body("Cannot POST"),
        Scripted::new(200).header("content-type", "text/html").body("<form>Sign in</form>"),
        Scripted::new(200),
        Scripted::new(500).body("[]"),
        Scripted::new(500).header("content-type", "application/json").body(r#"{"success":true,"data":[]}"#),
        json("[]"),
        json(r#"{"data":[]}"#),
        json(r#"{"success":false,"error":{"code":3,"message":"no"}}"#),
        json(r#"{"success":true,"data":null}"#),
        json(r#"{"success":true,"data":{}}"#),
        json(r#"{"success":true,"data":"1"}"#),
        json(
            r#"{"success":true,"data":[{"numerodocumento":"00-00000009","numerointerno":"00000009","idtipodocumento":1}]}"#,
        ),
        json(
            r#"{"success":true,"data":[{"numerodocumento":"00-00000009","numerointerno":"00000001","idtipodocumento":3}]}"#,
        ),
    ];
    for answer in answers {
        let name = format!("{answer:?}");
        let bench = lax_bench(|builder| builder.probe(StatusProbe).probe(NextNumberProbe)).await;
        bench.fiscal().enable_probes(true);
        bench.lose_unacted(1).await;
        bench.fiscal().inject_always(Endpoint::Status, Fault::Answer(answer.clone()));
        bench.fiscal().inject_always(Endpoint::NextNumber, Fault::Answer(answer));
        bench.clock.advance(DELAY);
        assert_eq!(bench.resolve_open(1).await.because, Because::NeedsPerson, "{name}");
        bench.stays_open_for_a_person(1).await;
        assert_eq!(bench.issues().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_probe_that_cannot_be_reached_changes_nothing() {
    let bench = lax_bench(|builder| builder.probe(StatusProbe)).await;
    bench.lose_unacted(1).await;
    bench.clock.advance(DELAY);
    bench.fiscal().refuse_connections().await.unwrap();
    assert_eq!(bench.resolve_open(1).await.because, Because::NeedsPerson);
    bench.fiscal().accept_connections().await.unwrap();
    bench.fiscal().enable_probes(true);
    assert_eq!(bench.resolve_settled(1).await.state(), DocumentState::Issued);
}

#[tokio::test]
async fn the_next_number_above_ours_is_issued_without_its_control_number() {
    let bench = lax_bench(|builder| builder.probe(NextNumberProbe)).await;
    bench.fiscal().enable_probes(true);
    bench.lose_acted(1).await;
    let entry = bench.resolve_settled(1).await;
    assert_eq!((entry.state(), entry.control_text()), (DocumentState::Issued, None));
    assert!(bench.clock.slept().is_empty());
    assert_eq!(bench.issues().len(), 1);
}

#[tokio::test]
async fn the_next_number_being_ours_is_not_issued_after_the_delay_and_the_bytes_are_resent() {
    let bench = lax_bench(|builder| builder.probe(NextNumberProbe)).await;
    bench.fiscal().enable_probes(true);
    bench.journal.issue(&invoice(1)).await.unwrap();
    bench.lose_unacted(2).await;
    let resumed = bench.journal.resume().await.unwrap();
    assert_eq!(resumed.open[0].because, Because::Settling(DELAY));
    assert_eq!(bench.issues().len(), 2);
    let entry = bench.resolve_settled(2).await;
    assert_eq!((entry.state(), entry.control_text()), (DocumentState::Issued, Some("00-00000002")));
    let sent = bench.issues();
    assert_eq!((sent.len(), &sent[1].body), (3, &sent[2].body));
}

#[tokio::test]
async fn the_next_number_below_ours_is_a_gap_that_stops_the_series() {
    let bench = lax_bench(|builder| builder.probe(NextNumberProbe)).await;
    bench.fiscal().enable_probes(true);
    bench.journal.issue(&invoice(1)).await.unwrap();
    bench.lose_unacted(5).await;
    let resumed = bench.journal.resume().await.unwrap();
    assert_eq!(resumed.open[0].because, Because::Settling(DELAY), "not issued counts only after the delay");
    let entry = bench.resolve_settled(5).await;
    assert_eq!(entry.state(), DocumentState::Rejected);
    let sent = bench.issues().len();
    for later in [3, 6] {
        let error = bench.journal.issue(&invoice(later)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Blocked, Outcome::NotSent), "{error}");
        assert!(error.to_string().contains("number 2 is missing"), "{error}");
    }
    assert_eq!(bench.issues().len(), sent);
    for value in 2..=6 {
        bench.journal.issue(&invoice(value)).await.unwrap_or_else(|error| panic!("{value}: {error}"));
    }
}

#[tokio::test]
async fn without_a_probe_the_identical_bytes_are_resent_once_after_the_delay() {
    let bench = bench().await;
    bench.lose_unacted(1).await;
    let resumed = bench.journal.resume().await.unwrap();
    assert_eq!((resumed.open[0].because, bench.issues().len()), (Because::Settling(DELAY), 1));
    let entry = bench.resolve_settled(1).await;
    assert_eq!(bench.clock.slept(), [DELAY]);
    assert_eq!((entry.control_text(), entry.tries()), (Some("00-00000001"), 2));
    assert_same_bytes(&bench, 2);
}

#[tokio::test]
async fn the_resend_is_lost_too_and_there_is_no_other() {
    let bench = bench().await;
    bench.fiscal().inject_times(Endpoint::Issue, Fault::ResetBeforeActing, 9);
    bench.journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!(bench.resolve_open(1).await.because, Because::NeedsPerson);
    assert_same_bytes(&bench, 2);
    bench.stays_open_for_a_person(1).await;
    assert_same_bytes(&bench, 2);
    // Another worker knows it too.
    let resumed = bench.another().resume().await.unwrap();
    assert_eq!(resumed.open[0].because, Because::NeedsPerson);
    assert_same_bytes(&bench, 2);
}

/// A worker that dies within the resend has used it.
#[tokio::test]
async fn a_resend_that_is_dropped_was_the_one() {
    let bench = bench().await;
    bench.lose_unacted(1).await;
    bench.clock.advance(DELAY);
    bench.play(Fault::Hang);
    drop_once_sent(bench.fiscal(), 2, bench.journal.resume()).await;
    assert_eq!(bench.resolve_open(1).await.because, Because::NeedsPerson);
    bench.stays_open_for_a_person(1).await;
    assert_same_bytes(&bench, 2);
}

#[tokio::test]
async fn codes_that_depend_on_the_body_alone_decide_a_resend() {
    for code in [2, 4, 5, 7, 10, 14, 20, 21, 22, 23, 24] {
        let bench = bench().await;
        bench.lose_unacted(1).await;
        bench.refuse(code, "");
        let entry = bench.resolve_settled(1).await;
        let code = code.to_string();
        assert_eq!((entry.state(), entry.code()), (DocumentState::Rejected, Some(code.as_str())));
        bench.journal.issue(&corrected(1)).await.unwrap();
    }
}

#[tokio::test]
async fn whatever_else_a_resend_meets_leaves_the_question_open() {
    let mut answers: Vec<Scripted> = [1, 3, 11, 12, 13, 6, 99].map(|code| refusal(code, "")).into();
    answers
        .extend([400, 401, 403, 404, 413, 415, 429, 500, 502].map(|status| Scripted::new(status).body("no")));
    answers.push(json("{}"));
    for answer in answers {
        let name = format!("{answer:?}");
        let bench = bench().await;
        bench.lose_unacted(1).await;
        bench.play(Fault::Answer(answer));
        assert_eq!(bench.resolve_open(1).await.because, Because::NeedsPerson, "{name}");
        assert_same_bytes(&bench, 2);
        bench.stays_open_for_a_person(1).await;
    }
}

#[tokio::test]
async fn without_enforced_numbers_only_a_person_may_answer() {
    let lax = lax_bench(|builder| builder).await;
    lax.lose_unacted(1).await;
    lax.clock.advance(DELAY);
    lax.stays_open_for_a_person(1).await;
    assert_eq!(lax.issues().len(), 1);
    let entry = lax
        .journal
        .resolve_manually(&lax.series(), &number(1), Ruling::NotIssued, "Ana", "not in the portal")
        .await
        .unwrap();
    assert_eq!(entry.state(), DocumentState::Rejected);
    lax.journal.issue(&invoice(1)).await.unwrap();
}

#[tokio::test]
async fn with_an_unreadable_token_only_a_person_may_answer() {
    let sandbox = support::sandbox().await;
    let bench = bench_for(sandbox, "not-a-jwt", |builder| builder);
    bench.lose(1, Fault::ResetBeforeActing).await;
    bench.clock.advance(DELAY);
    bench.stays_open_for_a_person(1).await;
    assert_eq!(bench.issues().len(), 1);
}

/// 9.1: "a resend that ends NotSent falls back to `Unknown`, never to `Prepared`".
#[tokio::test]
async fn a_resend_that_was_not_sent_leaves_the_question_open_and_is_not_used_up() {
    let bench = bench().await;
    bench.lose_unacted(1).await;
    bench.clock.advance(DELAY);
    bench.fiscal().refuse_connections().await.unwrap();
    let resumed = bench.journal.resume().await.unwrap();
    assert_eq!(resumed.open.len(), 1);
    assert!(!bench.path(1).await[2..].contains(&State::Prepared), "{:?}", bench.path(1).await);
    assert_eq!((bench.state(1).await, bench.entry(1).await.tries()), (DocumentState::Unknown, 1));
    bench.fiscal().accept_connections().await.unwrap();
    assert_eq!(bench.resolve_settled(1).await.state(), DocumentState::Issued);
    assert_same_bytes(&bench, 2);
}

#[tokio::test]
async fn a_person_says_who_when_and_why() {
    let bench = bench().await;
    bench.lose_acted(1).await;
    let rule = |ruling, who, why| {
        let (journal, series) = (bench.journal.clone(), bench.series());
        async move { journal.resolve_manually(&series, &number(1), ruling, who, why).await }
    };
    let error = rule(Ruling::Issued(None), " ", "").await.unwrap_err();
    assert!(error.is_validation() && error.faults().len() == 2, "{error}");
    let error = rule(Ruling::NotIssued, "Ana", "portal").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Blocked, Some(DELAY)), "{error}");
    assert_eq!(bench.state(1).await, DocumentState::Unknown);
    bench.clock.advance(Duration::from_secs(7));
    let control = "00-00000001".parse().unwrap();
    let entry = rule(Ruling::Issued(Some(control)), "Ana", "portal").await.unwrap();
    assert_eq!((entry.evidence(), entry.control_text()), (Some(Evidence::Person), Some("00-00000001")));
    let decision = entry.decision().unwrap();
    assert_eq!((decision.who.as_str(), decision.why.as_str()), ("Ana", "portal"));
    assert_eq!(decision.when, bench.clock.wall());
    let error = rule(Ruling::NotIssued, "Eva", "portal").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    bench.journal.issue(&invoice(2)).await.unwrap();
    let missing = bench.journal.resolve(&bench.series(), &number(9)).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

/// A wall clock that a person can set.
#[derive(Debug, Clone)]
struct Adjusted(ManualClock, Arc<AtomicI64>);

impl Clock for Adjusted {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> Timestamp {
        self.0.wall() + SignedDuration::from_secs(1_000_000 + self.1.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }

    fn timer(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.timer(duration)
    }

    fn random(&self) -> f64 {
        self.0.random()
    }
}

struct Setting {
    sandbox: Sandbox,
    clock: ManualClock,
    offset: Arc<AtomicI64>,
    journal: Journal,
}

async fn adjusted() -> Setting {
    let (clock, offset) = (ManualClock::new(), Arc::new(AtomicI64::new(0)));
    let wall = Adjusted(clock.clone(), Arc::clone(&offset));
    let sandbox = support::sandbox().await;
    let client = support::builder(sandbox.fiscal()).clock(wall.clone()).build().unwrap();
    let store = Store::from_backend(Memory::with_clock(Arc::new(wall)));
    let journal = Journal::builder(client, &store).build().unwrap();
    Setting { sandbox, clock, offset, journal }
}

/// Set back by an hour between the loss and its resolution: the delay is waited for in full, nothing is doubled.
#[tokio::test]
async fn a_clock_set_back_only_lengthens_the_delay() {
    let setting = adjusted().await;
    let fiscal = setting.sandbox.fiscal();
    fiscal.inject(Endpoint::Issue, Fault::ResetBeforeActing);
    setting.journal.issue(&invoice(1)).await.unwrap_err();
    setting.offset.store(-3600, Ordering::Relaxed);
    let resumed = setting.journal.resume().await.unwrap();
    assert_eq!(resumed.open[0].because, Because::Settling(DELAY));
    setting.clock.advance(DELAY - Duration::from_secs(1));
    assert_eq!(setting.journal.resume().await.unwrap().open.len(), 1);
    assert_eq!(fiscal.requests().len(), 1);
    setting.clock.advance(Duration::from_secs(1));
    assert_eq!(setting.journal.resume().await.unwrap().settled.len(), 1);
    assert_eq!((fiscal.requests().len(), fiscal.documents().len()), (2, 1));
}

/// Lost while the clock was an hour behind, and then the clock is put right: the hour was not waited.
#[tokio::test]
async fn a_clock_put_right_does_not_shorten_the_delay() {
    let setting = adjusted().await;
    let fiscal = setting.sandbox.fiscal();
    setting.offset.store(-3600, Ordering::Relaxed);
    fiscal.inject(Endpoint::Issue, Fault::ResetBeforeActing);
    setting.journal.issue(&invoice(1)).await.unwrap_err();
    setting.offset.store(0, Ordering::Relaxed);
    let resumed = setting.journal.resume().await.unwrap();
    assert_eq!(resumed.settled.len(), 0, "the lost request may still act");
    assert_eq!((fiscal.requests().len(), resumed.open.len()), (1, 1));
    let mut waited = Vec::new();
    let settled = setting.journal.settle(|step| {
        if let Progress::Waiting(remaining) = step {
            waited.push(remaining);
        }
    });
    assert!(settled.await.unwrap().is_complete());
    assert_eq!((waited.as_slice(), fiscal.documents().len()), ([DELAY].as_slice(), 1));
}

/// A probe of the user's own that finds nothing, and counts how often it was asked.
#[derive(Debug, Clone, Default)]
struct Absent(Arc<std::sync::atomic::AtomicUsize>);

impl OutcomeProbe for Absent {
    fn name(&self) -> &'static str {
        "absent"
    }

    fn ask<'a>(&'a self, _: &'a Client, _: &'a Question) -> BoxFuture<'a, Result<Finding, Error>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(Finding::NotIssued) })
    }
}

/// Each resend after a probe needs a probe and a delay of its own, and one call of `resolve` has an end.
#[tokio::test]
async fn resolving_has_an_end_even_where_every_resend_is_lost() {
    let probe = Absent::default();
    let bench = bench_with(|builder| builder.probe(probe.clone())).await;
    bench.fiscal().inject_always(Endpoint::Issue, Fault::ResetBeforeActing);
    bench.journal.issue(&invoice(1)).await.unwrap_err();
    let open = bench.resolve_open(1).await;
    assert!(matches!(open.because, Because::Settling(_)));
    let (sent, slept) = (bench.issues().len(), bench.clock.slept());
    assert!(sent <= 9, "{sent}");
    assert!(slept.iter().filter(|pause| **pause == DELAY).count() >= sent - 1, "{slept:?}");
    assert_same_bytes(&bench, sent);
}

/// 9.5, contingency: what is covered by paper is never resent by a program.
#[tokio::test]
async fn an_open_question_on_paper_is_never_resent() {
    let bench = bench().await;
    bench.lose_unacted(1).await;
    bench.journal.cover_by_paper(&bench.series(), &number(1), "00-777", "Ana", "outage").await.unwrap();
    bench.clock.advance(DELAY);
    assert_eq!(bench.resolve_open(1).await.because, Because::OnPaper);
    assert_eq!(bench.journal.resume().await.unwrap().open[0].because, Because::OnPaper);
    assert_eq!(bench.journal.open_questions().await.unwrap()[0].because, Because::OnPaper);
    assert_eq!(bench.issues().len(), 1);
    assert_eq!(bench.entry(1).await.paper().unwrap().0, "00-777");
    let ruling = Ruling::NotIssued;
    bench.journal.resolve_manually(&bench.series(), &number(1), ruling, "Ana", "paper").await.unwrap();
    for result in [bench.journal.issue(&invoice(1)).await, bench.journal.prepare(&invoice(1)).await] {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotSent), "{error}");
    }
    assert_eq!(bench.issues().len(), 1, "what is on paper is not issued a second time");
    bench.journal.issue(&corrected(1)).await.unwrap();
}

#[tokio::test]
async fn a_draft_on_paper_or_discarded_is_not_sent() {
    let bench = bench().await;
    bench.journal.prepare(&invoice(1)).await.unwrap();
    bench.journal.prepare(&invoice(2)).await.unwrap();
    let (series, journal) = (bench.series(), &bench.journal);
    journal.cover_by_paper(&series, &number(1), "00-777", "Ana", "outage").await.unwrap();
    let entry = journal.discard(&series, &number(2), "Ana", "typed twice").await.unwrap();
    assert_eq!(
        (entry.state(), entry.decision().unwrap().why.as_str()),
        (DocumentState::Discarded, "typed twice")
    );
    let resumed = journal.resume().await.unwrap();
    assert!(resumed.is_complete() && resumed.issued.is_empty());
    assert_eq!(bench.fiscal().connections(), 0);
    assert_eq!(bench.entry(1).await.paper().unwrap().0, "00-777");
    for result in [
        journal.discard(&series, &number(2), "Ana", "again").await,
        journal.discard(&series, &number(1), "", "again").await,
    ] {
        assert!(result.unwrap_err().is_not_sent());
    }
    // The text that is on paper is not issued a second time by a program that repeats its call.
    let error = journal.issue(&invoice(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotSent), "{error}");
    assert_eq!(bench.fiscal().connections(), 0);
    // The number is free for another one.
    journal.issue(&corrected(1)).await.unwrap();
    journal.issue(&invoice(2)).await.unwrap();
    let error = journal.cover_by_paper(&series, &number(2), "00-778", "Ana", "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

/// What was refused in the first round is still reported after the last.
#[tokio::test]
async fn settling_reports_what_failed_on_the_way() {
    let bench = bench().await;
    bench.journal.issue(&invoice(1)).await.unwrap();
    bench.lose_unacted(2).await;
    bench.journal.prepare(&debit_note(1, "00-00000001")).await.unwrap();
    bench.refuse(2, "campo");
    let resumed = bench.journal.settle(|_| {}).await.unwrap();
    assert_eq!((resumed.settled.len(), resumed.open.len()), (1, 0));
    assert_eq!(resumed.failed[0].1.service_code(), Some("2"));
    assert!(!resumed.is_complete());
}
