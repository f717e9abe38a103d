//! The firm's program, killed at any moment: hooks, grants, and the engine at work beside them.

use std::collections::BTreeSet;
use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use apiges_sync::grant::{PairTag, Rules, WebGrant};
use apiges_sync::sync::*;
use apiges_sync::visible::Membership;
use apiges_sync::web::*;
use apiges_sync::{Assumptions, Client, Clock as _, Environment, Error, Lang, RetryPolicy, SystemClock};
use integration_store::Store;

use super::orders::{Contact, Order, Place, Report, Wanted};
use super::pause;

const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(crate) async fn work(place: &Place) {
    let groups = SharedGroups::default();
    read_groups(place, &groups);
    let sync = engine(place, &groups).await;
    let (send, mut orders) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let _ = send.send(line.unwrap());
        }
        // The parent is gone.
        std::process::exit(0);
    });
    let engine = sync.clone();
    tokio::spawn(async move {
        let ended = engine.run(std::future::pending()).await;
        eprintln!("the engine ended: {ended:?}");
        std::process::exit(3);
    });
    while let Some(line) = orders.recv().await {
        let (number, order): (u64, Order) = serde_json::from_str(&line).unwrap();
        let said = obey(place, &sync, &groups, &order).await;
        // The test harness may have begun the line.
        println!("\nack {number} {said}");
        std::io::stdout().flush().unwrap();
    }
}

async fn engine(place: &Place, groups: &SharedGroups) -> WebSync {
    let [firm, user, password] = &place.firm;
    let [portal, tenant, token] = &place.portal;
    let retry = || RetryPolicy::new().with_base(Duration::from_millis(1));
    let mut assumptions = Assumptions::default();
    assumptions.searches_are_complete = true;
    assumptions.login_pause = Duration::from_millis(10);
    let rest = Client::builder()
        .environment(Environment::at(firm).unwrap())
        .credentials(user, password.as_str())
        .assumptions(assumptions)
        .retry(retry())
        .build()
        .unwrap();
    let transport = HttpTransport::builder()
        .base_url(portal)
        .and_then(|builder| builder.tenant(tenant).credential(token.as_str()).retry(retry()).build())
        .unwrap();
    let settings = Settings {
        lease: Duration::from_secs(2),
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(500),
        look_again: LOOK_AGAIN,
        ..Settings::default()
    };
    let store = Store::open(&place.store).await.unwrap();
    let builder = WebSync::builder().store(&store).transport(transport).cases(RestCases::new(rest));
    builder.groups(groups.clone()).settings(settings).build().unwrap()
}

fn read_groups(place: &Place, groups: &SharedGroups) {
    let text = std::fs::read(place.groups()).unwrap();
    let members: Vec<(Contact, String)> = serde_json::from_slice(&text).unwrap();
    groups.change(|all| {
        *all = Membership::new();
        members.into_iter().for_each(|(contact, group)| all.join(contact.id, contact.name(), group));
    });
}

async fn obey(place: &Place, sync: &WebSync, groups: &SharedGroups, order: &Order) -> String {
    let now = SystemClock::new().wall();
    match order {
        Order::Saved(case) => sync.saved(*case, now).await.unwrap(),
        Order::Graphic(case) => sync.graphic_saved(*case, now).await.unwrap(),
        Order::Removed(case) => sync.removed(*case).await.unwrap(),
        Order::Grant(contact, wanted) => granted(sync, contact, wanted.as_ref()).await,
        Order::Member(contact) => {
            read_groups(place, groups);
            sync.membership_changed(&contact.name(), contact.id).await.unwrap();
        }
        // Whatever they meet is tried again by a later one, and the single pushes that the engine starts do not depend on them.
        Order::Load => told("load", sync.initial_load(&LoadOptions::new()).await),
        Order::Push(contact) => told("push", sync.push_contact(&contact.name(), &LoadOptions::new()).await),
        Order::Scan => {
            while let Err(error) = sync.scan().await {
                eprintln!("scan: {error}");
            }
        }
        Order::Rest => return serde_json::to_string(&rest(sync).await).unwrap(),
    }
    "done".to_owned()
}

fn told<T>(what: &str, ended: Result<T, Error>) {
    if let Err(error) = ended {
        eprintln!("{what}: {error}");
    }
}

async fn rest(sync: &WebSync) -> Report {
    settled(sync).await;
    let reconciled = loop {
        match sync.reconcile().await {
            Ok(reconciled) => break reconciled,
            Err(error) => eprintln!("reconcile: {error}"),
        }
    };
    settled(sync).await;
    let numbers = sync.numbers().await.unwrap();
    let dead = sync.dead().await.unwrap();
    Report {
        dead: dead.iter().map(|entry| format!("{}: {:?}", entry.what, entry.error)).collect(),
        mismatches: reconciled.mismatches.iter().map(ToString::to_string).collect(),
        implicit: numbers.implicit,
        numbers: format!("{numbers:?}"),
    }
}

/// Nothing waits, nor after another look at what a killed program left.
async fn settled(sync: &WebSync) {
    let mut calm = 0;
    while calm < 2 {
        pause(LOOK_AGAIN * 3).await;
        calm = if sync.numbers().await.unwrap().pending == 0 { calm + 1 } else { 0 };
    }
}

/// Changes a grant until it is as wanted: what a person does who looks at what became of it.
async fn granted(sync: &WebSync, contact: &Contact, wanted: Option<&Wanted>) {
    let (name, mut wait) = (contact.name(), 0_u32);
    for _ in 0..6_000 {
        let stored = sync.grant(&name).await.unwrap().map(|grant| grant.to_wire(&Rules::default()).unwrap());
        if stored.is_none() && wanted.is_none()
            || stored.as_ref().zip(wanted).is_some_and(|(own, wanted)| is(own, wanted))
        {
            return;
        }
        if wait == 0 {
            wait = match changed(sync, contact, stored, wanted).await {
                Ok(GrantOutcome::Applied) => 1,
                Ok(_) => 30,
                Err(error) => {
                    eprintln!("{name}: {error}");
                    3
                }
            };
        }
        wait -= 1;
        pause(Duration::from_millis(5)).await;
    }
    eprintln!("the grant of {name} never came to {wanted:?}");
    std::process::exit(4);
}

async fn changed(
    sync: &WebSync,
    contact: &Contact,
    stored: Option<Grant>,
    wanted: Option<&Wanted>,
) -> Result<GrantOutcome, Error> {
    let name = contact.name();
    let Some(wanted) = wanted else { return sync.revoke(&name, "ana").await };
    match stored {
        None => {
            let mut grant = WebGrant::new(name, contact.id).activated()?.to_wire(&Rules::default())?;
            write(sync, &mut grant, wanted).await?;
            sync.open(&WebGrant::stored(grant), "ana").await
        }
        Some(mut grant) if !has_content(&grant, wanted) => {
            write(sync, &mut grant, wanted).await?;
            sync.revise(&WebGrant::stored(grant), "ana").await
        }
        Some(_) if wanted.active => sync.resume(&name, "ana").await,
        Some(_) => sync.suspend(&name, "ana").await,
    }
}

fn scope(wanted: &Wanted) -> Scope {
    wanted.group.clone().map_or(Scope::Own, |group| Scope::Group { group })
}

fn lang(wanted: &Wanted) -> Lang {
    if wanted.english { Lang::En } else { Lang::Es }
}

fn closed(wanted: &Wanted) -> ClosedCases {
    if wanted.keep { ClosedCases::Keep } else { ClosedCases::Withdraw }
}

fn tag_of(grant: &Grant) -> Option<String> {
    grant.admin.as_ref().map(|admin| admin.pair_tag.to_hex())
}

fn has_content(grant: &Grant, wanted: &Wanted) -> bool {
    let shown: BTreeSet<String> = grant.show.iter().map(|ticked| ticked.as_str().to_owned()).collect();
    shown == wanted.show
        && grant.excluded_modalities == wanted.excluded
        && (&grant.scope, grant.lang, &grant.closed_cases) == (&scope(wanted), lang(wanted), &closed(wanted))
        && tag_of(grant) == wanted.tag
}

fn is(grant: &Grant, wanted: &Wanted) -> bool {
    has_content(grant, wanted) && (grant.state == GrantState::Active) == wanted.active
}

async fn write(sync: &WebSync, grant: &mut Grant, wanted: &Wanted) -> Result<(), Error> {
    grant.show = wanted.show.iter().map(|ticked| FieldBox::from_wire(ticked)).collect();
    grant.excluded_modalities.clone_from(&wanted.excluded);
    (grant.scope, grant.lang, grant.closed_cases) = (scope(wanted), lang(wanted), closed(wanted));
    if tag_of(grant) != wanted.tag {
        grant.admin = match &wanted.tag {
            None => None,
            Some(tag) => {
                let pair_tag = PairTag::from_hex(tag).unwrap();
                let preview = sync.preview_union(&pair_tag, &grant.contact).await?;
                Some(AdminPair { pair_tag, preview_id: preview.preview_id })
            }
        };
    }
    Ok(())
}
