//! `list`: which rows, in which order, and how many there are (contract section 3.2, F3).
//!
//! The rule: a page costs what the page holds. `fid > x` and `start` are places in the order, not conditions to be
//! judged row by row; whatever else a filter says is judged once, and the answer kept until a row changes.

use super::cell::Cell;
use super::feature::Feature;
use super::filter::{Filter, Op, Test, order};
use super::plant::Plant;
use super::schema::{Key, Source};
use super::shelf::Row;

/// Kept results: as many as features are read at the same time.
const KEPT: usize = 12;

/// Rows that matched a filter, in the order asked for.
#[derive(Debug, Clone)]
pub(super) struct Matched {
    feature: Feature,
    versions: u64,
    /// The filter and the order, as text.
    asked: String,
    fids: Vec<u32>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) feature: Feature,
    /// `caixaEmenda` holds every box.
    pub(super) every_box: bool,
    pub(super) filter: Option<Filter>,
    pub(super) sorter: Vec<Key>,
    pub(super) start: usize,
    pub(super) limit: usize,
    /// From the other end.
    pub(super) reversed: bool,
}

/// A page, and how many rows there are in all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) total: usize,
    pub(super) rows: Vec<(Feature, Row)>,
}

/// A filter taken apart.
#[derive(Debug, Default)]
struct Parts {
    /// `fid > …`
    after: Option<u32>,
    /// Lower bound of the last change.
    since: Option<i64>,
    contract: Option<u32>,
    /// What has to be judged row by row, the two above included.
    rest: Vec<Filter>,
}

const FID: Key = Key::Known(Source::Fid);

impl Query {
    /// Whether rows come in the order of their `fid`.
    fn by_fid(&self) -> bool {
        self.sorter.first().is_none_or(|first| *first == FID)
    }

    fn sources(&self) -> Vec<Feature> {
        let all = self.every_box && self.feature == Feature::CaixaEmenda;
        if all { Feature::BOXES.to_vec() } else { vec![self.feature] }
    }

    fn parts(&self) -> Parts {
        let mut parts = Parts::default();
        for part in self.filter.clone().map(Filter::conjuncts).unwrap_or_default() {
            match &part {
                Filter::Test(FID, Test::Compare(Op::Greater, literal)) if self.by_fid() => {
                    let bound = floor(literal.number.unwrap_or(0.0));
                    parts.after = Some(parts.after.map_or(bound, |after| after.max(bound)));
                    continue;
                }
                Filter::Test(
                    Key::Known(Source::Changed),
                    Test::Compare(Op::Greater | Op::GreaterOrEqual | Op::Equal, literal),
                ) => {
                    parts.since = parts.since.max(literal.time);
                }
                Filter::Test(Key::Known(Source::Contract), Test::Compare(Op::Equal, literal)) => {
                    parts.contract = literal.number.map(floor);
                }
                _ => {}
            }
            parts.rest.push(part);
        }
        parts
    }
}

/// Float to integer casts saturate: a bound beyond all numbers is the last one.
fn floor(number: f64) -> u32 {
    number.floor() as u32
}

impl Plant {
    pub(super) fn list(&mut self, query: &Query) -> Page {
        let parts = query.parts();
        let sources = query.sources();
        match sources.as_slice() {
            [feature] if parts.rest.is_empty() && query.by_fid() => {
                let rows = &self.table(*feature).rows;
                let window = Window::of(query, parts.after.map_or(0, |fid| rows.rank(fid)), rows.len());
                let page = rows.from(window.first).take(window.count).map(|row| (*feature, *row)).collect();
                window.page(page)
            }
            _ => self.list_matched(query, &parts, &sources),
        }
    }

    fn list_matched(&mut self, query: &Query, parts: &Parts, sources: &[Feature]) -> Page {
        let matched = self.matched(query, parts, sources);
        let skipped = parts.after.map_or(0, |after| matched.fids.partition_point(|fid| *fid <= after));
        let window = Window::of(query, skipped, matched.fids.len());
        let fids = matched.fids.iter().skip(window.first).take(window.count);
        let row = |fid: &u32| sources.iter().find_map(|feature| Some((*feature, *self.get(*feature, *fid)?)));
        let page = fids.filter_map(row).collect();
        let page = window.page(page);
        self.matched.retain(|kept| kept.asked != matched.asked || kept.feature != matched.feature);
        self.matched.truncate(KEPT - 1);
        self.matched.insert(0, matched);
        page
    }

    /// The rows that match, taken from what is kept or looked for; the caller puts them back.
    fn matched(&mut self, query: &Query, parts: &Parts, sources: &[Feature]) -> Matched {
        let versions = sources.iter().map(|feature| self.table(*feature).version).sum();
        let asked = format!("{:?} {:?} {}", parts.rest, query.sorter, query.every_box);
        let same = |kept: &Matched| {
            kept.feature == query.feature && kept.versions == versions && kept.asked == asked
        };
        if let Some(place) = self.matched.iter().position(same) {
            return self.matched.swap_remove(place);
        }
        let mut rows: Vec<(Feature, &Row)> =
            sources.iter().flat_map(|feature| self.candidates(*feature, parts)).collect();
        rows.sort_unstable_by_key(|(_, row)| row.fid);
        if query.sorter.iter().any(|key| *key != FID) {
            rows.sort_by(|one, other| self.sorted(&query.sorter, *one, *other));
        }
        let fids = rows.into_iter().map(|(_, row)| row.fid).collect();
        Matched { feature: query.feature, versions, asked, fids }
    }

    fn sorted(&self, keys: &[Key], one: (Feature, &Row), other: (Feature, &Row)) -> std::cmp::Ordering {
        let cell = |(feature, row): (Feature, &Row), key| self.cell(feature, row, key);
        let orders = keys.iter().map(|key| order(&cell(one, *key), &cell(other, *key)));
        orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    }

    fn candidates(&self, feature: Feature, parts: &Parts) -> Vec<(Feature, &Row)> {
        let table = self.table(feature);
        let judged = |row: &&Row| {
            let cell = |key| self.cell(feature, row, key);
            parts.rest.iter().all(|part| part.holds(&cell))
        };
        let rows: Vec<&Row> = match (parts.contract, parts.since) {
            (Some(contract), _) if feature == Feature::Cliente => {
                let same = self.contracts.range((contract, 0)..=(contract, u32::MAX));
                same.filter_map(|(_, fid)| table.rows.get(*fid)).filter(judged).collect()
            }
            (_, Some(since)) => {
                let since = u32::try_from(since.max(0)).unwrap_or(u32::MAX);
                let changed = table.by_change.range((since, 0)..);
                changed.filter_map(|(_, fid)| table.rows.get(*fid)).filter(judged).collect()
            }
            _ => table.rows.iter().filter(judged).collect(),
        };
        rows.into_iter().map(|row| (feature, row)).collect()
    }
}

/// Which stretch of the rows a page is.
struct Window {
    total: usize,
    first: usize,
    count: usize,
    reversed: bool,
}

impl Window {
    fn of(query: &Query, skipped: usize, len: usize) -> Self {
        let total = len.saturating_sub(skipped);
        let count = total.saturating_sub(query.start).min(query.limit);
        let before = if query.reversed { total - query.start.min(total) - count } else { query.start };
        Self { total, first: skipped + before, count, reversed: query.reversed }
    }

    fn page(&self, mut rows: Vec<(Feature, Row)>) -> Page {
        if self.reversed {
            rows.reverse();
        }
        Page { total: self.total, rows }
    }
}

/// A row's value for a column, for whoever writes it.
impl Plant {
    pub(super) fn value<'a>(&'a self, (feature, row): &(Feature, Row), key: Key) -> Cell<'a> {
        self.cell(*feature, row, key)
    }
}
