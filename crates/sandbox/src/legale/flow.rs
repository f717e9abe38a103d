//! Flows: started, walked through signer by signer, ended (contract, sections 3.5, 4.6 and 4.7).
//!
//! In a `priority` flow only the first who has not signed may act, and only he is invited. The first rejection
//! ends a flow; the last signature does, and makes the signed file.

use super::letters::{Event, Letter};
use super::office::{Call, Office, Outcome, acted, object, read};
use super::papers::{Paper, file_record};
use super::pdf;
use super::records::{FlowState, Origin, Signer, SignerState, Step, StepRefused};
use super::refusal::{Reason, invalid};
use super::reply::{self, Link, Reply};
use super::rules::{self, Kind, NewSigner};
use crate::chance;
use crate::clock::Moment;
use crate::json::Json;

/// A flow that passed every check.
#[derive(Debug)]
pub(super) struct NewFlow {
    pub(super) flow_type: String,
    pub(super) expiration: Option<u64>,
    pub(super) shared: Vec<String>,
    pub(super) share_with_signers: bool,
    pub(super) signers: Vec<NewSigner>,
}

impl NewFlow {
    /// A flow of a template, which has no options of its own.
    pub(super) fn plain(signers: Vec<NewSigner>, shared: Vec<String>) -> Self {
        Self { flow_type: "priority".into(), expiration: None, shared, share_with_signers: false, signers }
    }
}

/// Whether he signs on a page of his own, outside Legale.
fn is_remote(signer: &NewSigner) -> bool {
    let method = signer.method.as_str();
    match signer.flow.as_deref() {
        Some("other") => true,
        Some("approve") => matches!(method, "approve" | "approve_api"),
        Some(_) => false,
        None => matches!(method, "sms" | "no_sms" | "fea" | "approve" | "approve_api"),
    }
}

impl Office {
    pub(super) fn start(&mut self, call: &Call<'_>, caller: &str) -> Outcome {
        let place = self.own(&call.target.name, caller)?;
        let startable =
            self.papers.get(place).is_some_and(|paper| paper.state(call.moment) == FlowState::Uploaded);
        if !startable {
            return Err(invalid("started", "GUID", "a flow was started already"));
        }
        let body = object(call)?;
        let flow = NewFlow {
            flow_type: rules::flow_type(&body)?,
            expiration: rules::expiration(&body)?,
            shared: rules::shared(&body, Kind::Start)?,
            share_with_signers: *body.get("share_signed_document") == Json::Bool(true),
            signers: rules::signers(&body, "signer_list", Kind::Start, &|email, me| {
                self.fea_ready(caller, email, me)
            })?,
        };
        let links = self.launch(place, flow, call.moment);
        acted(Reply::v1(reply::links(&links, &self.settings)))
    }

    /// Starts a flow; returns the URLs that the caller is told.
    pub(super) fn launch(&mut self, place: usize, flow: NewFlow, moment: Moment) -> Vec<Link> {
        let base = self.base_url.clone();
        let need_skip = self.settings.links_need_skip_email;
        let Some(paper) = self.papers.get_mut(place) else { return Vec::new() };
        let record = &mut paper.record;
        record.flow_type = Some(flow.flow_type);
        record.expiration_days = flow.expiration;
        record.starts = record.starts.saturating_add(1);
        record.shared_with = flow.shared;
        record.started_at = Some(moment.iso_micros());
        paper.share_with_signers = flow.share_with_signers;
        (paper.started, paper.updated) = (Some(moment), moment);
        paper.secrets = flow.signers.iter().map(|_| chance::hex(16)).collect();
        let numbered = flow.signers.into_iter().zip(&paper.secrets).enumerate();
        record.signers = numbered.map(|(at, (signer, secret))| named(signer, at, secret, &base)).collect();
        let told = |signer: &&Signer| !need_skip || signer.skip_email || signer.sign_method == "approve_api";
        let links = record.signers.iter().filter(told).filter_map(link).collect();
        self.report_launch(place);
        self.invite(place);
        links
    }

    /// Mails whoever's turn it is and has not been invited.
    fn invite(&mut self, place: usize) {
        let Some(paper) = self.papers.get(place) else { return };
        let guid = paper.record.guid.clone();
        let due: Vec<Signer> = paper
            .record
            .signers
            .iter()
            .filter(|signer| !signer.skip_email && may_act(paper, signer))
            .cloned()
            .collect();
        for signer in due {
            let known = |mail: &super::records::Mail| {
                mail.guid == guid && mail.to == signer.email && mail.link == signer.link
            };
            if !self.mails.iter().any(known) {
                self.mail(&signer.email, &guid, "invitation", signer.link);
            }
        }
    }

    fn report_launch(&mut self, place: usize) {
        let Some(paper) = self.papers.get(place) else { return };
        let letters = [Event::Launch, Event::DataToApiLaunch]
            .into_iter()
            .filter_map(|event| Letter::write(event, paper, &self.settings))
            .collect::<Vec<_>>();
        self.outbox.extend(letters);
    }

    /// A signer does something. `number` counts from 1.
    pub(super) fn walk(
        &mut self,
        guid: &str,
        number: usize,
        step: Step,
        comment: &str,
        moment: Moment,
    ) -> Result<(), StepRefused> {
        let place = self.by_guid.get(guid).copied().ok_or(StepRefused::NoDocument)?;
        let paper = self.papers.get_mut(place).ok_or(StepRefused::NoDocument)?;
        allowed(paper, number, moment)?;
        let index = number.saturating_sub(1);
        let signer = paper.record.signers.get_mut(index).ok_or(StepRefused::NoSigner)?;
        signer.state = match step {
            Step::Open => SignerState::Opened,
            Step::Sign => SignerState::Signed,
            Step::Reject => SignerState::Rejected,
        };
        if step != Step::Open {
            signer.acted_at = Some(moment.iso_micros());
            paper.updated = moment;
        }
        let letter = Letter::write(Event::SignerStatus(number), paper, &self.settings);
        let over = paper.record.signers.iter().all(|signer| signer.state == SignerState::Signed);
        self.outbox.extend(letter);
        match step {
            Step::Reject => self.end(place, 2, Some(comment), moment),
            Step::Sign if over => self.end(place, 1, None, moment),
            Step::Sign => self.invite(place),
            Step::Open => {}
        }
        Ok(())
    }

    fn end(&mut self, place: usize, status: u8, comment: Option<&str>, moment: Moment) {
        let Some(paper) = self.papers.get_mut(place) else { return };
        paper.record.sign_status = status;
        paper.record.comment = comment.map(ToOwned::to_owned);
        paper.record.finished_at = Some(moment.iso_micros());
        if status == 1 {
            sign_file(paper);
        }
        let letters: Vec<Letter> = [Event::End, Event::AppReport]
            .into_iter()
            .filter_map(|event| Letter::write(event, paper, &self.settings))
            .collect();
        self.outbox.extend(letters);
        self.send_copies(place);
    }

    fn send_copies(&mut self, place: usize) {
        let Some(paper) = self.papers.get(place).filter(|paper| paper.record.sign_status == 1) else {
            return;
        };
        let guid = paper.record.guid.clone();
        let mut to = paper.record.shared_with.clone();
        if paper.share_with_signers {
            to.extend(paper.record.signers.iter().map(|signer| signer.email.clone()));
        }
        to.iter().for_each(|email| self.mail(email, &guid, "signed_copy", None));
    }

    /// Place and number of the signer whose URL has this secret.
    fn holder(&self, secret: &str) -> Option<(String, usize)> {
        self.papers.iter().find_map(|paper| {
            let at = paper.secrets.iter().position(|known| known == secret)?;
            Some((paper.record.guid.clone(), at.saturating_add(1)))
        })
    }

    /// A POST to an `approve_api` URL approves.
    pub(super) fn approve(&mut self, call: &Call<'_>) -> Outcome {
        let (guid, number) = self.holder(&call.target.name).ok_or(Reason::Absent)?;
        let signer = self.paper(&guid).and_then(|paper| paper.record.signers.get(number.saturating_sub(1)));
        if signer.is_none_or(|signer| signer.sign_method != "approve_api") {
            return Err(Reason::Absent.into());
        }
        self.walk(&guid, number, Step::Sign, "", call.moment)
            .map_err(|refused| invalid("step", "approval", &refused.to_string()))?;
        acted(Reply::Done)
    }

    /// The page behind a signer's link; looking at it is what opens the document.
    pub(super) fn signer_page(&mut self, call: &Call<'_>) -> Outcome {
        let (guid, number) = self.holder(&call.target.name).ok_or(Reason::Absent)?;
        let outcome = self.walk(&guid, number, Step::Open, "", call.moment);
        let said = outcome.map_or_else(|refused| refused.to_string(), |()| "ready to sign".into());
        let text = format!("<!doctype html><title>Sandbox</title><h1>Signer {number}</h1><p>{said}</p>");
        read(Reply::Html { status: 200, text })
    }

    /// What an administrator does in the web app, for which there is no call.
    pub(super) fn administer(&mut self, guid: &str, act: impl FnOnce(&mut Paper)) -> bool {
        let place = self.by_guid.get(guid).copied();
        place.and_then(|place| self.papers.get_mut(place)).map(act).is_some()
    }
}

/// A signer with his number, URL and first state.
fn named(signer: NewSigner, at: usize, secret: &str, base: &str) -> Signer {
    let path = if signer.method == "approve_api" { "api/sign/approve" } else { "session" };
    Signer {
        number: at.saturating_add(1),
        state: SignerState::Pending,
        link: is_remote(&signer).then(|| format!("{base}/{path}/{secret}")),
        email: signer.email,
        firstname: signer.firstname,
        lastname1: signer.lastname1,
        lastname2: signer.lastname2,
        phone: signer.phone,
        sign_flow: signer.flow,
        sign_method: signer.method,
        status_callback_url: signer.status_callback_url,
        skip_email: signer.skip_email,
        acted_at: None,
    }
}

fn link(signer: &Signer) -> Option<Link> {
    Some(Link { email: signer.email.clone(), url: signer.link.clone()? })
}

/// Whether it is this signer's turn.
fn may_act(paper: &Paper, signer: &Signer) -> bool {
    let waiting = matches!(signer.state, SignerState::Pending | SignerState::Opened);
    let before = |other: &&Signer| other.number < signer.number;
    let in_order = paper.record.flow_type.as_deref() == Some("simultaneously")
        || paper.record.signers.iter().filter(before).all(|other| other.state == SignerState::Signed);
    waiting && in_order
}

fn allowed(paper: &Paper, number: usize, moment: Moment) -> Result<(), StepRefused> {
    match paper.state(moment) {
        FlowState::Uploaded => return Err(StepRefused::NotStarted),
        FlowState::Paused => return Err(StepRefused::Paused),
        FlowState::LinkExpired => return Err(StepRefused::Expired),
        FlowState::InProgress => {}
        _ => return Err(StepRefused::Ended),
    }
    let signer = paper.record.signers.iter().find(|signer| signer.number == number);
    match signer {
        None => Err(StepRefused::NoSigner),
        Some(signer) if matches!(signer.state, SignerState::Signed | SignerState::Rejected) => {
            Err(StepRefused::AlreadyActed)
        }
        Some(signer) if !may_act(paper, signer) => Err(StepRefused::NotHisTurn),
        Some(_) => Ok(()),
    }
}

fn sign_file(paper: &mut Paper) {
    let signers: Vec<String> = paper.record.signers.iter().map(|signer| signer.email.clone()).collect();
    match pdf::signed(&paper.original, &paper.record.guid, &signers) {
        Ok(content) => {
            paper.record.signed_file = Some(file_record(&paper.record.file_name, &content));
            paper.signed = Some(content);
        }
        // The original's temporary file is gone: somebody cleaned up under the sandbox.
        Err(error) => tracing::warn!(%error, guid = paper.record.guid, "no signed file"),
    }
}

/// Whether a flow reports as a template's.
pub(super) fn is_automated(paper: &Paper) -> bool {
    paper.record.origin == Origin::Template
}
