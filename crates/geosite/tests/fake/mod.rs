//! A plant in memory that can be edited, drift while it is read, fail, and lose its reader; and a checker that knows nothing of
//! the engine.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use futures_core::Stream;
use geosite::Feature;
use geosite::sync::{
    Element, From, Kind, Lookup, Piece, Plant, PlantError, PlantErrorKind, Register, Rows, Shelf, UnreadRow,
    shelf_of,
};
use integration_core::BoxFuture;
use jiff::{SignedDuration, Timestamp};

/// Chance that can be had again.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    pub fn in_hundred(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

pub type Table = BTreeMap<i64, Element>;

pub struct State {
    pub tables: BTreeMap<Feature, Table>,
    pub now: Timestamp,
    pub date: Option<SignedDuration>,
    pub page: usize,
    /// Percent of the pages at which a row is inserted or deleted.
    pub drift: u64,
    /// Percent of the pages that fail.
    pub failures: u64,
    pub no_total: bool,
    pub lie: i64,
    pub bad_rows: BTreeSet<Feature>,
    /// Lists whose last row of a page comes again with the next.
    pub repeating: BTreeSet<Feature>,
    /// Lists that stop after two pages, and say nothing.
    pub cut: BTreeSet<Feature>,
    /// Rows that come without their number.
    pub nameless: BTreeSet<i64>,
    /// How many lists are being read, and how many there ever were at the same time.
    pub open: usize,
    pub most_open: usize,
    pub broken: BTreeSet<Feature>,
    pub unclear: bool,
    pub tells_changes: bool,
    pub dice: Dice,
    pub next_fid: i64,
    /// Every (shelf, fid) that was not there at some time since this was cleared.
    pub deleted: BTreeSet<(Shelf, i64)>,
    pub asked: Vec<(Feature, Option<Timestamp>, From)>,
    pub rows_sent: u64,
    pub looked_up: Vec<(Feature, i64)>,
    pub on_page: Option<OnPage>,
}

/// What happens between two pages.
pub type OnPage = Box<dyn FnMut(&mut State) + Send>;

#[derive(Clone)]
pub struct FakePlant(Arc<Mutex<State>>);

impl FakePlant {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            tables: BTreeMap::new(),
            now: "2026-11-22T07:00:00Z".parse().unwrap(),
            date: Some(SignedDuration::ZERO),
            page: 7,
            drift: 0,
            failures: 0,
            no_total: false,
            lie: 0,
            bad_rows: BTreeSet::new(),
            repeating: BTreeSet::new(),
            cut: BTreeSet::new(),
            nameless: BTreeSet::new(),
            open: 0,
            most_open: 0,
            broken: BTreeSet::new(),
            unclear: false,
            tells_changes: true,
            dice: Dice::new(1),
            next_fid: 1_000,
            deleted: BTreeSet::new(),
            asked: Vec::new(),
            rows_sent: 0,
            looked_up: Vec::new(),
            on_page: None,
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// So many elements of a kind, with numbers that count up.
    pub fn fill(&self, kind: Kind, count: usize) -> Vec<i64> {
        let mut state = self.state();
        (0..count).map(|_| state.insert(kind)).collect()
    }

    pub fn delete(&self, kind: Kind, fid: i64) {
        self.state().delete(kind.feature(), fid);
    }

    pub fn edit(&self, kind: Kind, fid: i64, change: impl FnOnce(&mut Element)) {
        let mut state = self.state();
        let now = state.now;
        let element = state.tables.get_mut(&kind.feature()).unwrap().get_mut(&fid).unwrap();
        change(element);
        element.changed_at = Some(now);
    }

    pub fn pass_time(&self, seconds: i64) {
        let mut state = self.state();
        state.now = state.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }
}

impl State {
    pub fn insert(&mut self, kind: Kind) -> i64 {
        self.next_fid += 1;
        let fid = self.next_fid;
        self.put(kind, fid);
        fid
    }

    pub fn put(&mut self, kind: Kind, fid: i64) {
        let mut element = Element::new(kind, fid);
        element.name = Some(format!("{kind} {fid} {}", self.dice.below(1_000_000)));
        element.changed_at = Some(self.now);
        self.tables.entry(kind.feature()).or_default().insert(fid, element);
    }

    pub fn delete(&mut self, feature: Feature, fid: i64) {
        if self.tables.entry(feature).or_default().remove(&fid).is_some() {
            let shelf = shelf_of(feature);
            let elsewhere = Feature::ALL.iter().any(|other| {
                shelf_of(*other) == shelf
                    && self.tables.get(other).is_some_and(|table| table.contains_key(&fid))
            });
            if !elsewhere {
                self.deleted.insert((shelf, fid));
            }
        }
    }

    pub fn random_fid(&mut self, feature: Feature) -> Option<i64> {
        let count = self.tables.get(&feature).map_or(0, BTreeMap::len) as u64;
        let place = (count > 0).then(|| self.dice.below(count))?;
        self.tables[&feature].keys().nth(place as usize).copied()
    }

    fn drift_a_little(&mut self, kind: Kind) {
        if self.dice.in_hundred(self.drift) {
            if self.dice.in_hundred(50) {
                self.insert(kind);
            } else if let Some(fid) = self.random_fid(kind.feature()) {
                self.delete(kind.feature(), fid);
            }
        }
    }

    fn rows(&self, feature: Feature, since: Option<Timestamp>, after: Option<i64>) -> Vec<&Element> {
        let table = self.tables.get(&feature).into_iter().flat_map(BTreeMap::values);
        let fits = |element: &&Element| {
            after.is_none_or(|after| element.fid > after)
                && since.is_none_or(|since| element.changed_at.is_some_and(|changed| changed >= since))
        };
        table.filter(fits).collect()
    }
}

/// A list as the contract's keyset reading sees it (G1–G5), written anew.
struct List {
    plant: FakePlant,
    feature: Feature,
    since: Option<Timestamp>,
    after: Option<i64>,
    read: u64,
    pages: u64,
    total: Option<u64>,
    told: bool,
    buffer: std::collections::VecDeque<Piece>,
    ended: bool,
    paused: bool,
}

impl List {
    fn fetch(&mut self) -> Result<(), PlantError> {
        let plant = self.plant.clone();
        let mut state = plant.state();
        if let Some(mut on_page) = state.on_page.take() {
            on_page(&mut state);
            state.on_page.get_or_insert(on_page);
        }
        let kind = Kind::ALL.iter().copied().find(|kind| kind.feature() == self.feature).unwrap();
        state.drift_a_little(kind);
        let failures = state.failures;
        if state.dice.in_hundred(failures) || state.broken.contains(&self.feature) {
            return Err(PlantError::new(PlantErrorKind::Failed, "503"));
        }
        let rest = state.rows(self.feature, self.since, self.after);
        let left = (rest.len() as u64).saturating_add_signed(state.lie);
        let total = self.total.filter(|_| self.told || self.after.is_some()).unwrap_or(left);
        if !state.no_total && left + self.read != total {
            return Err(PlantError::new(PlantErrorKind::Drift, "the total has moved"));
        }
        if !self.told && !state.no_total {
            self.total = Some(total);
            self.told = true;
            self.buffer.push_back(Piece::Total(total));
        }
        let rows: Vec<Element> = rest.into_iter().take(state.page).cloned().collect();
        if rows.is_empty() {
            let all = state.rows(self.feature, self.since, None).len() as u64;
            if !state.no_total && all.saturating_add_signed(state.lie) != total {
                let kind = if state.lie == 0 { PlantErrorKind::Drift } else { PlantErrorKind::Failed };
                return Err(PlantError::new(kind, "the total was another afterwards"));
            }
            self.ended = true;
            if state.bad_rows.contains(&self.feature) {
                let row = UnreadRow::new(self.feature, self.pages, self.read + 1, "`fid` is not there");
                self.buffer.push_back(Piece::Bad(Box::new(row)));
            }
            self.buffer.push_back(Piece::End { complete: !state.no_total && self.read == total });
            return Ok(());
        }
        self.buffer.push_back(Piece::Page);
        if self.pages == 2 && state.cut.contains(&self.feature) {
            self.ended = true;
            return Ok(());
        }
        let again = self.after.filter(|_| state.repeating.contains(&self.feature));
        if let Some(row) = again.and_then(|fid| state.tables[&self.feature].get(&fid)) {
            self.buffer.push_back(Piece::Row(Box::new(row.clone())));
        }
        self.pages += 1;
        self.after = rows.last().map(|row| row.fid);
        state.rows_sent += rows.len() as u64;
        for row in rows {
            self.read += 1;
            let nameless = state.nameless.contains(&row.fid);
            self.buffer.push_back(if nameless { self.unread(row) } else { Piece::Row(Box::new(row)) });
        }
        Ok(())
    }
}

impl List {
    fn unread(&self, row: Element) -> Piece {
        let mut unread = UnreadRow::new(self.feature, self.pages, self.read, "`fid` is not there");
        (unread.name, unread.code) = (row.name, row.code);
        Piece::Bad(Box::new(unread))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        self.plant.state().open -= 1;
    }
}

impl Stream for List {
    type Item = Result<Piece, PlantError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(piece) = self.buffer.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        self.paused = !self.paused;
        if self.paused {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Err(error) = self.fetch() {
            self.ended = true;
            return Poll::Ready(Some(Err(error)));
        }
        self.poll_next(context)
    }
}

impl FakePlant {
    fn list(&self, feature: Feature, since: Option<Timestamp>, from: From) -> Rows<'_> {
        let mut state = self.state();
        state.asked.push((feature, since, from));
        state.open += 1;
        state.most_open = state.most_open.max(state.open);
        drop(state);
        Box::pin(List {
            plant: self.clone(),
            feature,
            since,
            after: from.after,
            read: from.read,
            pages: 0,
            total: from.total,
            told: false,
            buffer: Default::default(),
            ended: false,
            paused: false,
        })
    }
}

impl Plant for FakePlant {
    fn whole(&self, feature: Feature, from: From) -> Rows<'_> {
        self.list(feature, None, from)
    }

    fn changed(&self, feature: Feature, since: Timestamp, from: From) -> Rows<'_> {
        self.list(feature, Some(since), from)
    }

    fn tells_changes(&self, _: Feature) -> bool {
        self.state().tells_changes
    }

    fn one(&self, feature: Feature, fid: i64) -> BoxFuture<'_, Result<Lookup, PlantError>> {
        Box::pin(async move {
            let mut state = self.state();
            state.looked_up.push((feature, fid));
            if state.unclear || state.broken.contains(&feature) {
                return Err(PlantError::new(PlantErrorKind::Failed, "an answer of unknown shape"));
            }
            let found = state.tables.get(&feature).and_then(|table| table.get(&fid));
            Ok(found.map_or(Lookup::NotFound, |element| Lookup::Found(Box::new(element.clone()))))
        })
    }

    fn splitters_of(&self, parent: i64) -> BoxFuture<'_, Result<Vec<Element>, PlantError>> {
        Box::pin(async move {
            let state = self.state();
            if state.broken.contains(&Feature::Splitter) {
                return Err(PlantError::new(PlantErrorKind::Failed, "503"));
            }
            let splitters = state.tables.get(&Feature::Splitter).into_iter().flat_map(BTreeMap::values);
            Ok(splitters.filter(|splitter| splitter.parent == Some(parent)).cloned().collect())
        })
    }

    fn server_time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, PlantError>> {
        Box::pin(async move {
            let state = self.state();
            Ok(state.date.and_then(|offset| state.now.checked_add(offset).ok()))
        })
    }
}

/// What a register of these kinds should hold, by the plant alone.
pub fn truth(plant: &FakePlant, kinds: &[Kind]) -> BTreeMap<(Shelf, i64), Element> {
    let state = plant.state();
    let mut truth: BTreeMap<(Shelf, i64), Element> = BTreeMap::new();
    let features: BTreeSet<Feature> = kinds.iter().map(|kind| kind.feature()).collect();
    // The list that may hold every box comes first, so that the others overrule it.
    let mut features: Vec<Feature> = features.into_iter().collect();
    features.sort_by_key(|feature| *feature != Feature::CaixaEmenda);
    for feature in features {
        for element in state.tables.get(&feature).into_iter().flat_map(BTreeMap::values) {
            if kinds.contains(&element.kind) || element.kind == Kind::SplitterUnknown {
                truth.insert((shelf_of(feature), element.fid), element.clone());
            }
        }
    }
    truth
}

/// What a register holds, and which gravestones.
pub async fn held(
    register: &dyn Register,
    name: &str,
) -> (BTreeMap<(Shelf, i64), Element>, BTreeSet<(Shelf, i64)>) {
    let (mut live, mut stones) = (BTreeMap::new(), BTreeSet::new());
    for kind in Kind::ALL.iter().copied() {
        let mut after = None;
        loop {
            let page = register.list(name, kind, after, 50).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.windows(2).all(|pair| pair[0].element.fid < pair[1].element.fid), "ascending");
            after = Some(last.element.fid);
            for stored in page {
                let key = (stored.element.kind.shelf(), stored.element.fid);
                if stored.tombstone.is_some() {
                    stones.insert(key);
                } else {
                    live.insert(key, stored.element);
                }
            }
        }
    }
    (live, stones)
}

/// Polls a future so often, then drops it: what `kill` does to a run, as far as a process can do it to itself.
pub async fn killed_after<T>(polls: u64, future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// What a comparison is told of each shelf says what stands there, of the dead as of the living.
pub async fn assert_known_is_stored(register: &dyn Register, name: &str, page: usize) {
    for shelf in Shelf::ALL.iter().copied() {
        let (mut known, mut after) = (Vec::new(), None);
        loop {
            let some = register.known(name, shelf, after, page).await.unwrap();
            after = some.last().map(|known| known.fid).or(after);
            let last = some.len() < page;
            known.extend(some.into_iter().map(|one| (one.fid, one.kind, one.digest, one.live, one.flagged)));
            if last {
                break;
            }
        }
        let mut stored = Vec::new();
        for kind in Kind::ALL.iter().copied().filter(|kind| kind.shelf() == shelf) {
            for one in register.list(name, kind, None, usize::MAX).await.unwrap() {
                let (live, flagged) = (one.tombstone.is_none(), one.element.flag.is_some());
                stored.push((one.element.fid, kind, one.element.digest(), live, flagged));
            }
        }
        stored.sort_unstable_by_key(|one| one.0);
        assert!(known == stored, "{shelf}: {} known, {} stored", known.len(), stored.len());
    }
}
