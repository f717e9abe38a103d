//! One box by its `fid`, with its splitters (contract 4.7).
//!
//! The rules enforced here: a cursor never moves; only the plant's own not-found deletes, and only what was asked for by itself;
//! every failure changes nothing.

use std::collections::BTreeMap;

use super::doubt::Doubtful;
use super::element::Element;
use super::engine::{PlantSync, box_features};
use super::error::SyncError;
use super::kind::{Kind, Shelf};
use super::links::Notice;
use super::pass::{ROLE_CHANGED, notice};
use super::plant::Lookup;
use super::register::{Known, RunRow, Stored};
use super::report::{Conflict, Mode, Outcome, Run, Trigger};
use super::run::to_json;
use super::selection::Selection;
use super::sink::Sink;
use crate::feature::Feature;

/// What was found of a box and its splitters.
#[derive(Default)]
struct Found {
    elements: Vec<Element>,
    gone: Vec<(Shelf, i64, Kind)>,
    known: BTreeMap<(Shelf, i64), Known>,
}

impl PlantSync {
    /// Brings one box and its splitters up to date, at any time, beside a run as well.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) at GeoSite (contract 4.7).
    ///
    /// # Errors
    ///
    /// [`Plant`](super::SyncErrorKind::Plant) if anything could not be asked or was not understood: nothing is changed then.
    /// [`Inactive`](super::SyncErrorKind::Inactive) if the integration was deactivated. The register's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (cto, sync) = (i64::from(kit.cto()), kit.sync().await);
    /// # sync.run(geosite::sync::Request::full()).await?;
    /// let run = sync.refresh_box(cto).await?;
    /// println!("{:?}", run.outcome);
    /// # Ok(()) });
    /// ```
    pub async fn refresh_box(&self, fid: i64) -> Result<Run, SyncError> {
        let integration = self.active().await?;
        let mut run = self.blank(Mode::Single, Trigger::Single);
        let mut row = RunRow::new(run.started_at, run.trigger.name(), run.mode.name());
        row.report = to_json(&run)?;
        run.run_id = self.register().open_run(self.name(), None, row).await?;
        let sink = Sink::Register(self.register(), self.ticket(run.run_id, None));
        match self.refresh(&mut run, &integration.selection, fid).await {
            Ok(()) => self.end(&sink, &mut run, Outcome::Ok).await.map(|()| run),
            Err(error) => {
                run.warn(error.to_string());
                self.end(&sink, &mut run, Outcome::Failed).await?;
                Err(error)
            }
        }
    }

    async fn refresh(&self, run: &mut Run, selection: &Selection, fid: i64) -> Result<(), SyncError> {
        let mut found = self.ask(selection, fid).await?;
        found.leave_out_designed(run);
        found.tell_doubts(run);
        self.flag_linked(run, &mut found).await?;
        count(run, &found);
        let notices = notices(&found);
        let elements = found.elements.into_iter().map(|element| {
            let digest = element.digest();
            (element, digest)
        });
        let gone = found.gone.iter().map(|(shelf, fid, _)| (*shelf, *fid)).collect();
        let ticket = self.ticket(run.run_id, None);
        self.register().refresh(&ticket, self.now(), elements.collect(), gone).await?;
        self.links().told(&notices).await
    }

    /// Asks for everything before anything is changed.
    async fn ask(&self, selection: &Selection, fid: i64) -> Result<Found, SyncError> {
        let mut found = Found::default();
        let stored = self.register().get(self.name(), Shelf::Box, fid).await?;
        if let Some(stored) = &stored {
            found.know(stored);
        }
        match self.ask_box(selection, fid, stored.as_ref()).await? {
            Some(element) => found.elements.push(element),
            None => found.lost(stored.as_ref()),
        }
        let stored = self.register().children(self.name(), Shelf::Splitter, fid).await?;
        stored.iter().for_each(|stored| found.know(stored));
        let listed = self.plant().splitters_of(fid).await?;
        let absent = |stored: &&Stored| !listed.iter().any(|element| element.fid == stored.element.fid);
        for stored in stored.iter().filter(absent) {
            match self.plant().one(Feature::Splitter, stored.element.fid).await? {
                Lookup::Found(element) => found.elements.push(*element),
                Lookup::NotFound => found.lost(Some(stored)),
            }
        }
        self.take_listed(selection, &mut found, listed).await?;
        Ok(found)
    }

    /// On the feature that is stored for it, then on every other: it is not there only if all of them say so.
    async fn ask_box(
        &self,
        selection: &Selection,
        fid: i64,
        stored: Option<&Stored>,
    ) -> Result<Option<Element>, SyncError> {
        let mut features = box_features(selection);
        let first = stored.map(|stored| stored.element.kind.feature());
        features.sort_by_key(|feature| Some(*feature) != first);
        for feature in features {
            if let Lookup::Found(element) = self.plant().one(feature, fid).await? {
                return Ok(Some(*element));
            }
        }
        Ok(None)
    }

    /// Of the listed splitters, those that are kept or stored already, perhaps below another box.
    async fn take_listed(
        &self,
        selection: &Selection,
        found: &mut Found,
        listed: Vec<Element>,
    ) -> Result<(), SyncError> {
        let fids: Vec<i64> = listed.iter().map(|element| element.fid).collect();
        for known in self.register().known_of(self.name(), Shelf::Splitter, &fids).await? {
            found.known.insert((Shelf::Splitter, known.fid), known);
        }
        for element in listed {
            let known = found.known.get(&(Shelf::Splitter, element.fid));
            if selection.keeps(element.kind) || known.is_some_and(|known| known.live) {
                found.elements.push(element);
            }
        }
        Ok(())
    }

    async fn flag_linked(&self, run: &mut Run, found: &mut Found) -> Result<(), SyncError> {
        let turned = |element: &&Element| {
            element.kind.shelf() == Shelf::Splitter && element.kind != Kind::SplitterAtendimento
        };
        let doubtful: Vec<i64> = found.elements.iter().filter(turned).map(|element| element.fid).collect();
        if doubtful.is_empty() {
            return Ok(());
        }
        let linked = self.links().linked(&doubtful).await?;
        let flagged =
            found.elements.iter_mut().filter(|element| turned(&&**element) && linked.contains(&element.fid));
        for element in flagged {
            element.flag = Some(ROLE_CHANGED.to_owned());
            run.conflicts.push(Conflict::RoleChanged { fid: element.fid, role: element.role.clone() });
        }
        Ok(())
    }
}

impl Found {
    fn know(&mut self, stored: &Stored) {
        let element = &stored.element;
        let live = stored.tombstone.is_none();
        let known = Known::new(element.fid, element.kind, element.digest(), live, element.flag.is_some());
        self.known.insert((element.kind.shelf(), element.fid), known);
    }

    /// What is only designed does not come in; if it is stored, the next full run takes it out, behind the guard.
    fn leave_out_designed(&mut self, run: &mut Run) {
        for element in self.elements.extract_if(.., |element| element.designed) {
            run.kinds.entry(element.kind).or_default().designed += 1;
            let stored = self.known.get(&(element.kind.shelf(), element.fid)).is_some_and(|known| known.live);
            let until =
                if stored { "it is stored, and stays until the next full run" } else { "it was left out" };
            run.warn(format!("{} {} is only designed: {until}", element.kind, element.fid));
        }
    }

    fn tell_doubts(&mut self, run: &mut Run) {
        for element in &mut self.elements {
            let report = run.kinds.entry(element.kind).or_default();
            report.without_place += u64::from(element.latitude_e7.is_none());
            for doubt in std::mem::take(&mut element.doubts) {
                report.doubtful += 1;
                run.doubts.push(Doubtful::new(element.kind, element.fid, doubt));
            }
        }
    }

    fn lost(&mut self, stored: Option<&Stored>) {
        if let Some(stored) = stored.filter(|stored| stored.tombstone.is_none()) {
            let element = &stored.element;
            self.gone.push((element.kind.shelf(), element.fid, element.kind));
        }
    }

    fn known(&self, element: &Element) -> Option<Known> {
        self.known.get(&(element.kind.shelf(), element.fid)).copied()
    }
}

fn count(run: &mut Run, found: &Found) {
    for element in &found.elements {
        let report = run.kinds.entry(element.kind).or_default();
        report.read += 1;
        match found.known(element) {
            None => report.added += 1,
            Some(known) if !known.live => report.restored += 1,
            Some(known) if known.digest == element.digest() => report.unchanged += 1,
            Some(_) => report.changed += 1,
        }
    }
    for (_, _, kind) in &found.gone {
        run.kinds.entry(*kind).or_default().removed += 1;
    }
    if found.elements.is_empty() && found.gone.is_empty() && run.warnings.is_empty() {
        run.warn("neither the plant nor the register has such a box");
    }
}

fn notices(found: &Found) -> Vec<Notice> {
    let changed = |element: &&Element| {
        found.known(element).is_none_or(|known| known.digest != element.digest() || !known.live)
    };
    let written =
        found.elements.iter().filter(changed).filter_map(|element| notice(element, found.known(element)));
    let gone = found.gone.iter().map(|(shelf, fid, _)| Notice::Removed { shelf: *shelf, fid: *fid });
    written.chain(gone).collect()
}
