//! The register's sheets: what a full compare reads of it says the same as its rows, whatever is written, and comes back when it is
//! lost (decision 24). And the cost of an incremental run goes with what has changed, not with what there is.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod fake;

use std::str::FromStr as _;
use std::sync::Arc;

use fake::{Dice, FakePlant, assert_known_is_stored};
use geosite::Feature;
use geosite::sync::{Kind, Outcome, PlantSync, Project, Request, Run, Selection, Settings, SqliteRegister};
use integration_core::clock::ManualClock;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

const NAME: &str = "norte";

struct House {
    plant: FakePlant,
    sync: PlantSync,
    clock: ManualClock,
    register: Arc<SqliteRegister>,
    url: String,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/register.db", folder.path().display());
        Self::at(url, folder).await
    }

    async fn at(url: String, folder: tempfile::TempDir) -> Self {
        let register = Arc::new(SqliteRegister::open(&url).await.unwrap());
        let (plant, clock) = (FakePlant::new(), ManualClock::new());
        plant.state().page = 500;
        let mut settings = Settings::new(NAME, "worker-1");
        settings.page_size = 600;
        let builder = PlantSync::builder(Arc::new(plant.clone()), register.clone(), settings);
        let selection = Selection::of([Kind::Cto, Kind::Hub, Kind::Poste]).unwrap();
        let builder = builder.clock(Arc::new(clock.clone()));
        let sync = builder.open(&Project::create("Rede"), &selection).await.unwrap();
        Self { plant, sync, clock, register, url, _folder: folder }
    }

    async fn full(&self) -> Run {
        let run = self.sync.run(Request::full()).await.unwrap();
        assert_eq!(run.outcome, Some(Outcome::Ok), "{:?}", run.warnings);
        run
    }

    async fn assert_known(&self) {
        assert_known_is_stored(&*self.register, NAME, 700).await;
    }

    /// By hand, past the register.
    async fn sql(&self, sql: &str) -> Vec<i64> {
        let options = sqlx::sqlite::SqliteConnectOptions::from_str(&self.url).unwrap();
        let mut connection = options.disable_statement_logging().connect().await.unwrap();
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
        let numbers = rows.iter().map(|row| row.get::<Option<i64>, _>(0).unwrap_or_default()).collect();
        connection.close().await.unwrap();
        numbers
    }

    async fn sheets(&self) -> i64 {
        self.sql("SELECT COUNT(*) FROM geosite_sheets").await[0]
    }

    /// Entries in all sheets, and elements in all tables.
    async fn assert_packed(&self) {
        let held = self.sql("SELECT SUM(held) FROM geosite_sheets").await[0];
        let tables = ["geosite_splitters", "geosite_boxes", "geosite_customers", "geosite_elements"];
        let mut stored = 0;
        for table in tables {
            stored += self.sql(&format!("SELECT COUNT(*) FROM {table}")).await[0];
        }
        assert_eq!(held, stored);
    }
}

/// Where sheets are cut in two, emptied, and begun anew: numbers come anywhere, not only at the end.
#[tokio::test]
async fn sheets_say_what_the_rows_say() {
    let house = House::new().await;
    house.plant.fill(Kind::SplitterAtendimento, 30);
    let mut dice = Dice::new(11);
    for round in 0..25_u64 {
        for _ in 0..400 {
            let kind = [Kind::Cto, Kind::Cto, Kind::Hub, Kind::Poste][dice.below(4) as usize];
            house.plant.state().put(kind, 1 + dice.below(9_000) as i64);
        }
        for _ in 0..30 {
            let mut state = house.plant.state();
            let feature = [Feature::Cto, Feature::Poste][dice.below(2) as usize];
            if let Some(fid) = state.random_fid(feature) {
                state.delete(feature, fid);
            }
        }
        house.plant.pass_time(3_600);
        if round % 3 == 0 {
            house.sync.run(Request::incremental()).await.unwrap();
        } else {
            house.sync.run(Request::full()).await.unwrap();
        }
        let fid = house.plant.state().random_fid(Feature::Cto).unwrap();
        house.sync.refresh_box(fid).await.unwrap();
        if round % 10 == 9 {
            // The gravestones of the rounds before go.
            house.clock.advance(std::time::Duration::from_secs(181 * 86_400));
            house.sync.run(Request::full()).await.unwrap();
        }
        house.assert_known().await;
        house.assert_packed().await;
    }
    assert!(house.sheets().await > 12, "sheets were cut");
}

#[tokio::test]
async fn lost_sheets_come_back() {
    let house = House::new().await;
    let fids = house.plant.fill(Kind::Cto, 1_300);
    house.plant.fill(Kind::SplitterAtendimento, 20);
    house.full().await;
    house.sql("DELETE FROM geosite_sheets").await;
    house.assert_known().await;
    let run = house.full().await;
    assert_eq!(run.kinds[&Kind::Cto].unchanged, 1_300);
    house.assert_packed().await;
    // Written while there are none: all are made, not some.
    house.sql("DELETE FROM geosite_sheets").await;
    house.plant.edit(Kind::Cto, fids[700], |element| element.name = Some("edited".to_owned()));
    house.plant.pass_time(60);
    house.sync.run(Request::incremental()).await.unwrap();
    house.assert_known().await;
    assert_eq!(house.sql("SELECT SUM(held) FROM geosite_sheets WHERE shelf = 'box'").await, [1_300]);
}

#[tokio::test]
async fn rows_that_were_deleted_by_hand_are_found_missing() {
    let house = House::new().await;
    house.plant.fill(Kind::Cto, 1_300);
    house.plant.fill(Kind::SplitterAtendimento, 20);
    house.full().await;
    house.sql("DELETE FROM geosite_boxes WHERE fid % 100 = 0").await;
    let run = house.full().await;
    assert_eq!((run.kinds[&Kind::Cto].added, run.kinds[&Kind::Cto].unchanged), (13, 1_287));
    house.assert_known().await;
    house.assert_packed().await;
}

#[tokio::test]
async fn a_deselected_kind_leaves_no_sheet_that_says_otherwise() {
    let house = House::new().await;
    house.plant.fill(Kind::Cto, 700);
    house.plant.fill(Kind::Hub, 30);
    house.plant.fill(Kind::SplitterAtendimento, 20);
    house.full().await;
    let plan = house.sync.plan_selection(Selection::of([Kind::Cto, Kind::Poste]).unwrap()).await.unwrap();
    house.sync.apply_selection(&plan).await.unwrap();
    house.full().await;
    house.assert_known().await;
    assert_eq!(house.full().await.kinds[&Kind::Cto].unchanged, 700);
    house.assert_known().await;
    house.assert_packed().await;
}

/// A file of a program that knew no sheets, with elements in it.
#[tokio::test]
async fn a_register_of_the_first_version_is_brought_up_to_date() {
    let house = House::new().await;
    house.plant.fill(Kind::Cto, 900);
    house.plant.fill(Kind::SplitterAtendimento, 20);
    house.full().await;
    house.sql("DROP TABLE geosite_sheets").await;
    house.sql("ALTER TABLE geosite_leases RENAME COLUMN newest_run TO last_run").await;
    house.sql("UPDATE geosite_schema SET version = 1").await;
    let House { plant, url, _folder, .. } = house;
    let newer = House::at(url, _folder).await;
    newer.assert_known().await;
    for element in plant.state().tables.values().flat_map(|table| table.values()) {
        newer.plant.state().put(element.kind, element.fid);
    }
    assert_eq!(newer.full().await.sum(|report| report.added), 0);
    newer.assert_known().await;
    newer.assert_packed().await;
    // A program of the first version that has the file open still may not write past the sheets.
    assert_eq!(
        newer.sql("SELECT COUNT(*) FROM pragma_table_info('geosite_leases') WHERE name = 'last_run'").await,
        [0]
    );
}

/// What an incremental run with twenty changes asks, receives and writes in a plant of a size: lists asked for, rows received, rows
/// of elements written, sheets written.
async fn cost(elements: usize) -> [i64; 4] {
    let house = House::new().await;
    let fids = house.plant.fill(Kind::Cto, elements);
    house.plant.fill(Kind::SplitterAtendimento, 20);
    house.full().await;
    house.plant.pass_time(86_400);
    house.full().await;
    for table in ["geosite_boxes", "geosite_sheets"] {
        house.sql(&format!("CREATE TABLE written_{table} (one INTEGER)")).await;
        for event in ["INSERT", "UPDATE", "DELETE"] {
            let sql = format!(
                "CREATE TRIGGER {event}_{table} AFTER {event} ON {table} BEGIN INSERT INTO written_{table} VALUES (1); END"
            );
            house.sql(&sql).await;
        }
    }
    house.plant.pass_time(3_600);
    for nth in 0..20 {
        let fid = fids[nth * (elements / 20)];
        house.plant.edit(Kind::Cto, fid, |element| element.name = Some("edited".to_owned()));
    }
    {
        let mut state = house.plant.state();
        state.asked.clear();
        state.rows_sent = 0;
    }
    let run = house.sync.run(Request::incremental()).await.unwrap();
    assert_eq!(run.kinds[&Kind::Cto].changed, 20);
    let (asked, sent) = {
        let state = house.plant.state();
        (state.asked.len() as i64, state.rows_sent as i64)
    };
    let rows = house.sql("SELECT COUNT(*) FROM written_geosite_boxes").await[0];
    let sheets = house.sql("SELECT COUNT(*) FROM written_geosite_sheets").await[0];
    house.assert_known().await;
    [asked, sent, rows, sheets]
}

#[tokio::test]
async fn an_incremental_run_costs_what_has_changed() {
    let (small, large) = (cost(12_000).await, cost(48_000).await);
    let [asked, sent, rows, sheets] = large;
    assert_eq!((asked, sent, rows), (4, 20, 20), "lists, rows received, rows written");
    assert!(sheets <= 20, "{sheets} sheets written");
    assert_eq!(small[..3], large[..3]);
    assert!(small[3] <= sheets);
}
