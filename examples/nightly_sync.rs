//! The nightly synchronisation: every day at 04:00 Brasília time what has changed, at weekends everything.
//!
//! `nightly_sync [REGISTER]`: where the register is kept, `sqlite:FILE` or `postgres://…`; memory on the embedded sandbox. There the
//! program ends by itself: its clock goes from a Saturday to the full run of Sunday, people edit the plant, and it goes on to the
//! incremental run of Monday. On another service it runs until it is stopped, and goes on where it was when it is started again.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use geosite::schedule::{Ending, Order, RunMode, Runner, Schedule, Tick};
use geosite::sync::{
    Event, Kind, Mode, Outcome, PlantSync, Project, Register, Request, Run, Selection, Settings, SyncError,
    Tally, Trigger,
};
use geosite::{Clock, ManualClock, SystemClock, Timestamp};
use indicatif::ProgressBar;
use integration_examples::{GeositeService, connect_geosite, finish, open_store, print_run};
use integration_sandbox::geosite::{Feature, GeoSite};
use integration_store::Store;

/// What tells several providers in one register.
const INTEGRATION: &str = "provider-1";

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let service = connect_geosite(5_000).await?;
    let url = std::env::args().nth(1);
    let register = service.register(url.as_deref()).await?;
    match &service.sandbox {
        Some(sandbox) => two_nights(&service, sandbox.geosite(), register).await,
        None => every_night(&service, register).await,
    }
}

async fn every_night(
    service: &GeositeService,
    register: Arc<dyn Register>,
) -> Result<(), Box<dyn std::error::Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let sync = synchronisation(service, register, Arc::clone(&clock)).await?;
    // Remembers which nights were taken; of several machines over one store exactly one runs.
    let runner = Runner::new(&open_store().await?, INTEGRATION, Schedule::brasilia()?, clock);
    let (sync, stop) = (&sync, std::future::pending());
    runner.run_until(|order| async move { ending(&one_run(sync, order).await) }, stop).await;
    Ok(())
}

async fn two_nights(
    service: &GeositeService,
    plant: &GeoSite,
    register: Arc<dyn Register>,
) -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::new();
    go_to("2026-11-21T12:00:00Z", &clock, plant)?; // a Saturday
    let sync = synchronisation(service, register, Arc::new(clock.clone())).await?;
    let store = Store::open("memory:").await?;
    let runner = Runner::new(&store, INTEGRATION, Schedule::brasilia()?, Arc::new(clock.clone()));
    let Tick::Waiting { until } = runner.tick(async |_| Ending::Failed).await? else {
        return Err("nothing is due on Saturday noon".into());
    };
    println!("next run        {until}");

    go_to(&until.to_string(), &clock, plant)?;
    let full = night(&runner, &sync).await?;

    go_to("2026-11-22T18:30:00Z", &clock, plant)?;
    let edits = plant.churn(Feature::Cto, 7, 2, 3, 1);
    println!(
        "in the plant    {} new, {} changed, {} deleted",
        edits.inserted.len(),
        edits.edited.len(),
        edits.deleted.len()
    );

    go_to("2026-11-23T07:00:00Z", &clock, plant)?;
    let incremental = night(&runner, &sync).await?;
    println!("not seen yet    {} deleted: the weekend's full run will find it", edits.deleted.len());

    let boxes = incremental.kinds.get(&Kind::Cto).cloned().unwrap_or_default();
    let as_edited = (boxes.added, boxes.changed) == (edits.inserted.len() as u64, edits.edited.len() as u64);
    let modes = (full.mode, incremental.mode) == (Mode::Full, Mode::Incremental);
    if as_edited && modes { Ok(()) } else { Err("the register is not as the plant was edited".into()) }
}

/// Sets the clocks of program and sandbox.
fn go_to(moment: &str, clock: &ManualClock, plant: &GeoSite) -> Result<(), Box<dyn std::error::Error>> {
    let moment: Timestamp = moment.parse()?;
    clock.advance(Duration::try_from(moment.duration_since(clock.wall()))?);
    plant.stop_clock();
    plant.set_clock(moment.as_second());
    Ok(())
}

async fn synchronisation(
    service: &GeositeService,
    register: Arc<dyn Register>,
    clock: Arc<dyn Clock>,
) -> Result<PlantSync, SyncError> {
    let settings = Settings::new(INTEGRATION, "worker-1").assuming(service.client.assumptions());
    let (bar, tally) = (ProgressBar::new(0), Mutex::new(Tally::default()));
    let shown = move |event: &Event| {
        if let Ok(mut tally) = tally.lock() {
            show(&bar, &mut tally, event);
        }
    };
    PlantSync::builder(Arc::new(service.client.clone()), register, settings)
        .clock(clock)
        .observer(Arc::new(shown))
        .open(&Project::create("Fibre network"), &Selection::everything())
        .await
}

/// One bar over everything that the run reads at the same time.
fn show(bar: &ProgressBar, tally: &mut Tally, event: &Event) {
    tally.heed(event);
    match event {
        Event::Page { shelf, .. } => {
            bar.set_length(tally.total().unwrap_or_else(|| tally.read()));
            bar.set_position(tally.read());
            bar.set_message(shelf.name());
        }
        Event::Ended { .. } => bar.finish_and_clear(),
        _ => {}
    }
}

/// The run that is due, which has to succeed.
async fn night(runner: &Runner, sync: &PlantSync) -> Result<Run, Box<dyn std::error::Error>> {
    let mut done = None;
    let tick = runner
        .tick(async |order| {
            let run = one_run(sync, order).await;
            let ending = ending(&run);
            done = Some(run);
            ending
        })
        .await?;
    match (tick, done) {
        (Tick::Ran(_, Ending::Succeeded { .. }), Some(run)) => Ok(run?),
        (_, Some(Err(error))) => Err(error.into()),
        (tick, _) => Err(format!("the run did not succeed: {tick:?}").into()),
    }
}

async fn one_run(sync: &PlantSync, order: Order) -> Result<Run, SyncError> {
    let request = match order.mode {
        RunMode::Full => Request::full(),
        _ => Request::incremental(),
    };
    let run = sync.run(request.by(Trigger::Scheduled)).await;
    match &run {
        Ok(run) => print_run(run),
        Err(error) => eprintln!("error: {error:?}"),
    }
    run
}

/// What the schedule should remember of it.
fn ending(run: &Result<Run, SyncError>) -> Ending {
    match run {
        Ok(run) if run.outcome == Some(Outcome::Ok) => Ending::Succeeded { full: run.mode == Mode::Full },
        _ => Ending::Failed,
    }
}
