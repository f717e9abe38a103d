use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use integration_core::clock::ManualClock;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use integration_store::Memory;
use proptest::prelude::*;

use super::*;
use crate::link::{
    Confirmed, Found, Holding, PortLinkReader, PortLinkWriter, Released, Step, Told, WriteBackError,
};

/// A register that a test holds in its hands.
#[derive(Debug, Default)]
pub(in crate::link) struct Shelf(Mutex<Shelved>);

#[derive(Debug, Default)]
struct Shelved {
    splitters: BTreeMap<u64, SplitterFacts>,
    seen: Vec<(Port, CustomerKey)>,
}

impl Plant for Shelf {
    fn splitter(&self, fid: u64) -> BoxFuture<'_, Result<Option<SplitterFacts>, Error>> {
        let found = self.0.lock().unwrap().splitters.get(&fid).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn customers_on(&self, port: Port) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
        self.seen(|(on, _)| *on == port)
    }

    fn customers_of(&self, contract: u64) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
        self.seen(|(_, key)| key.contract == contract)
    }
}

impl Shelf {
    fn seen(
        &self,
        which: impl Fn(&(Port, CustomerKey)) -> bool,
    ) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
        let shelved = self.0.lock().unwrap();
        let seen = shelved.seen.iter().filter(|row| which(row)).map(|(_, key)| key.clone()).collect();
        Box::pin(std::future::ready(Ok(seen)))
    }

    fn set(&self, splitter: u64, facts: Option<SplitterFacts>) {
        let splitters = &mut self.0.lock().unwrap().splitters;
        match facts {
            Some(facts) => splitters.insert(splitter, facts),
            None => splitters.remove(&splitter),
        };
    }
}

/// A GeoSite that makes a second customer of a repeated save, as the real one does.
#[derive(Debug, Default)]
struct Far(Mutex<FarState>);

#[derive(Debug, Default)]
struct FarState {
    customers: Vec<(u64, CustomerKey, String, Option<Port>)>,
    calls: Vec<&'static str>,
    /// What the next writes do: `Some(outcome)` fails so, after acting if it is unknown and `true`.
    faults: Vec<Option<(Outcome, bool)>>,
}

impl Far {
    fn plan(self, faults: impl IntoIterator<Item = Option<(Outcome, bool)>>) -> Self {
        self.0.lock().unwrap().faults = faults.into_iter().collect();
        self
    }

    fn count(&self, call: &str) -> usize {
        self.0.lock().unwrap().calls.iter().filter(|made| **made == call).count()
    }

    fn seats(&self, contract: u64) -> Vec<Option<Port>> {
        let state = self.0.lock().unwrap();
        state.customers.iter().filter(|row| row.1.contract == contract).map(|row| row.3).collect()
    }

    fn write(
        &self,
        call: &'static str,
        act: impl FnOnce(&mut FarState) -> Result<u64, WriteBackError>,
    ) -> Result<u64, WriteBackError> {
        let mut state = self.0.lock().unwrap();
        state.calls.push(call);
        let fault = if state.faults.is_empty() { None } else { state.faults.remove(0) };
        match fault {
            None => act(&mut state),
            Some((outcome, acts)) => {
                if acts {
                    act(&mut state)?;
                }
                Err(Error::new(ErrorKind::Interrupted, "save").with_outcome(outcome).into())
            }
        }
    }
}

impl PortLinkReader for Far {
    fn find<'a>(&'a self, key: &'a CustomerKey) -> BoxFuture<'a, Result<Option<Found>, WriteBackError>> {
        let mut state = self.0.lock().unwrap();
        state.calls.push("find");
        let mut rows = state.customers.iter().filter(|row| row.1 == *key);
        let found = match (rows.next(), rows.count()) {
            (None, _) => Ok(None),
            (Some((fid, _, name, on)), 0) => Ok(Some(Found::new(*fid, Some(name.clone()), *on))),
            (_, more) => Err(WriteBackError::IdentityConflict { found: more + 1 }),
        };
        Box::pin(std::future::ready(found))
    }
}

impl PortLinkWriter for Far {
    fn save<'a>(&'a self, link: &'a Confirmed) -> BoxFuture<'a, Result<u64, WriteBackError>> {
        let saved = self.write("save", |state| {
            let (key, port) = (link.customer().key.clone(), Some(link.port()));
            if let Some(other) = state.customers.iter().find(|row| row.3 == port && Some(row.0) != link.fid())
            {
                return Err(WriteBackError::PortTaken { by: Some(other.1.contract) });
            }
            let fid = link.fid().unwrap_or(state.customers.len() as u64 + 1);
            state.customers.retain(|row| row.0 != fid);
            state.customers.push((fid, key, link.customer().name.clone(), port));
            Ok(fid)
        });
        Box::pin(std::future::ready(saved))
    }

    fn remove<'a>(
        &'a self,
        link: &'a Released,
        _: DetachPolicy,
    ) -> BoxFuture<'a, Result<(), WriteBackError>> {
        let removed = self.write("remove", |state| {
            state.customers.iter_mut().filter(|row| row.0 == link.fid()).for_each(|row| row.3 = None);
            Ok(link.fid())
        });
        Box::pin(std::future::ready(removed.map(drop)))
    }
}

struct House {
    clock: ManualClock,
    shelf: Arc<Shelf>,
    links: Links,
}

const SPLITTER: u64 = 1_000_001;

fn house() -> House {
    let clock = ManualClock::new();
    let store = Store::from_backend(Memory::with_clock(Arc::new(clock.clone())));
    let shelf = Arc::new(Shelf::default());
    shelf.set(SPLITTER, Some(SplitterFacts::service(Some(8))));
    let links = Links::new(&store, "provider", shelf.clone(), Arc::new(clock.clone())).with_write_back();
    House { clock, shelf, links }
}

fn port(index: u32) -> Port {
    Port::new(SPLITTER, index)
}

fn who(contract: u64) -> Subscriber {
    Subscriber::new(CustomerKey::new("529.982.247-25", contract).unwrap(), format!("Customer {contract}"))
}

async fn confirmed(house: &House, contract: u64, index: u32) -> Link {
    let reservation = house.links.propose(port(index), who(contract)).await.unwrap();
    house.links.confirm(&reservation).await.unwrap()
}

#[tokio::test]
async fn the_table_of_4_5() {
    let house = house();
    let links = &house.links;
    let reserved = links.propose(port(1), who(1)).await.unwrap();
    assert_eq!(
        links.propose(port(1), who(1)).await.unwrap(),
        reserved,
        "the same customer gets the same one"
    );
    let taken = links.propose(port(1), who(2)).await.unwrap_err();
    assert!(matches!(&taken, LinkError::PortTaken { by, .. } if by.contract == 1), "{taken}");
    assert!(matches!(links.block(port(1), "x").await.unwrap_err(), LinkError::PortTaken { .. }));
    let link = links.confirm(&reserved).await.unwrap();
    assert_eq!(links.confirm(&reserved).await.unwrap(), link, "confirming twice is once");
    assert_eq!(links.write_back(&link).await.unwrap(), Told::Queued);
    assert!(matches!(links.cancel(&reserved).await.unwrap_err(), LinkError::PortTaken { .. }));
    assert!(matches!(links.propose(port(1), who(2)).await.unwrap_err(), LinkError::PortTaken { .. }));
    links.detach(&link, DetachPolicy::KeepCustomer, "moved").await.unwrap();
    assert_eq!(links.port(port(1)).await.unwrap().holding, Holding::Free);
    assert!(matches!(
        links.detach(&link, DetachPolicy::KeepCustomer, "again").await.unwrap_err(),
        LinkError::NotLinked { .. }
    ));
    links.block(port(2), "broken").await.unwrap();
    assert!(matches!(links.propose(port(2), who(1)).await.unwrap_err(), LinkError::PortBlocked { .. }));
    links.unblock(port(2)).await.unwrap();
    let again = links.propose(port(2), who(1)).await.unwrap();
    links.cancel(&again).await.unwrap();
    assert_eq!(links.port(port(2)).await.unwrap().holding, Holding::Free);
    assert!(matches!(links.confirm(&again).await.unwrap_err(), LinkError::NotReserved { .. }));
}

#[tokio::test]
async fn a_reservation_is_over_after_72_hours() {
    let house = house();
    let kept = house.links.propose(port(1), who(1)).await.unwrap();
    house.clock.advance(Duration::from_secs(72 * 3600 - 1));
    assert!(house.links.propose(port(1), who(2)).await.is_err());
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.links.port(port(1)).await.unwrap().holding, Holding::Free);
    assert!(matches!(house.links.confirm(&kept).await.unwrap_err(), LinkError::NotReserved { .. }));
    house.links.propose(port(1), who(2)).await.unwrap();
    assert!(matches!(house.links.confirm(&kept).await.unwrap_err(), LinkError::PortTaken { .. }));
}

#[tokio::test]
async fn only_ports_of_synchronised_service_splitters() {
    let house = house();
    let refused =
        async |splitter, index| house.links.propose(Port::new(splitter, index), who(1)).await.unwrap_err();
    assert!(matches!(refused(7, 1).await, LinkError::NotSynchronised { .. }));
    assert!(matches!(refused(SPLITTER, 9).await, LinkError::NoSuchPort { ports: 8, .. }));
    assert!(matches!(refused(SPLITTER, 0).await, LinkError::NoSuchPort { .. }));
    house.shelf.set(7, Some(SplitterFacts::other("Distribuição", Some(8))));
    assert!(matches!(refused(7, 1).await, LinkError::NotServiceSplitter { .. }));
    house.shelf.set(7, Some(SplitterFacts::service(None)));
    assert!(matches!(refused(7, 1).await, LinkError::PortsUnknown { .. }));
}

#[tokio::test]
async fn identity() {
    let house = house();
    confirmed(&house, 1, 1).await;
    let other = Subscriber::new(CustomerKey::new("123.456.789-09", 1).unwrap(), "Other");
    let conflict = house.links.propose(port(2), other).await.unwrap_err();
    assert!(matches!(conflict, LinkError::IdentityConflict { .. }), "{conflict}");
    assert!(!conflict.to_string().contains("529") && !conflict.to_string().contains("456"), "{conflict}");
    let second = house.links.propose(port(2), who(1)).await.unwrap();
    assert!(matches!(house.links.confirm(&second).await.unwrap_err(), LinkError::CustomerElsewhere { .. }));
    let doubtful = Subscriber::new(CustomerKey::read("529.982.247-26", 3), "Doubtful");
    assert!(matches!(house.links.propose(port(3), doubtful).await.unwrap_err(), LinkError::Document(_)));
}

#[tokio::test]
async fn a_sync_that_shows_another_is_a_conflict_and_changes_nothing() {
    let house = house();
    let link = confirmed(&house, 1, 1).await;
    let conflict = house.links.observe(port(1), Some(who(2).key)).await.unwrap().unwrap();
    assert_eq!((conflict.register, conflict.plant), (Some(who(1).key), who(2).key));
    assert_eq!(house.links.port(port(1)).await.unwrap().link(), Some(&link));
    assert_eq!(house.links.observe(port(1), Some(who(1).key)).await.unwrap(), None);
    assert_eq!(house.links.port(port(1)).await.unwrap().conflict, None);
    house.shelf.0.lock().unwrap().seen.push((port(5), who(9).key));
    let taken = house.links.propose(port(5), who(2)).await.unwrap_err();
    assert!(matches!(taken, LinkError::PortTaken { by, .. } if by.contract == 9));
}

#[tokio::test]
async fn a_link_whose_splitter_goes_is_orphaned_kept_and_examined_again() {
    let house = house();
    let link = confirmed(&house, 1, 3).await;
    house.shelf.set(SPLITTER, None);
    let orphans = house.links.examine(SPLITTER).await.unwrap();
    assert_eq!(
        orphans.iter().map(|orphan| (orphan.link.id(), orphan.orphaned)).collect::<Vec<_>>(),
        [(link.id(), Some(Orphaned::SplitterGone))]
    );
    house.shelf.set(SPLITTER, Some(SplitterFacts::other("Distribuição", Some(8))));
    assert_eq!(house.links.examine(SPLITTER).await.unwrap()[0].orphaned, Some(Orphaned::NotService));
    house.shelf.set(SPLITTER, Some(SplitterFacts::service(Some(2))));
    assert_eq!(house.links.examine(SPLITTER).await.unwrap()[0].orphaned, Some(Orphaned::NoSuchPort));
    house.shelf.set(SPLITTER, Some(SplitterFacts::service(Some(8))));
    assert!(house.links.examine(SPLITTER).await.unwrap().is_empty());
    assert_eq!(house.links.links_of(SPLITTER).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_before_confirm_and_the_plan_sends_nothing() {
    let (house, far) = (house(), Far::default());
    let kept = house.links.propose(port(1), who(1)).await.unwrap();
    assert!(house.links.courier().deliver(&far).await.unwrap().is_empty());
    assert!(far.0.lock().unwrap().calls.is_empty());
    let link = house.links.confirm(&kept).await.unwrap();
    let plan = house.links.courier().plan(&far).await.unwrap();
    assert_eq!(plan.iter().map(|planned| &planned.step).collect::<Vec<_>>(), [&Step::Create]);
    assert_eq!((far.count("find"), far.count("save")), (1, 0));
    house.links.courier().deliver(&far).await.unwrap();
    assert_eq!(house.links.write_back(&link).await.unwrap(), Told::Acknowledged { fid: Some(1) });
    assert_eq!(far.seats(1), [Some(port(1))]);
    assert!(house.links.courier().deliver(&far).await.unwrap().is_empty());
    house.links.detach(&link, DetachPolicy::RemoveCustomer, "left").await.unwrap();
    let plan = house.links.courier().plan(&far).await.unwrap();
    assert!(matches!(plan[0].step, Step::Detach { .. }));
    house.links.courier().deliver(&far).await.unwrap();
    assert_eq!((far.seats(1), far.count("remove")), (vec![None], 1));
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_customer() {
    for acted in [true, false] {
        let (house, far) = (house(), Far::default().plan([Some((Outcome::Unknown, acted))]));
        let link = confirmed(&house, 1, 1).await;
        house.links.courier().deliver(&far).await.unwrap();
        assert_eq!(house.links.write_back(&link).await.unwrap(), Told::Sent);
        house.links.courier().deliver(&far).await.unwrap();
        assert_eq!(far.count("save"), 1, "the call may still be on its way");
        house.clock.advance(Duration::from_secs(60));
        house.links.courier().deliver(&far).await.unwrap();
        assert_eq!(far.seats(1), [Some(port(1))]);
        assert_eq!(far.count("save"), if acted { 1 } else { 2 });
        assert!(matches!(house.links.write_back(&link).await.unwrap(), Told::Acknowledged { .. }));
    }
}

#[tokio::test]
async fn failed_is_tried_again_and_refused_waits_for_a_person() {
    let (house, far) =
        (house(), Far::default().plan([Some((Outcome::NotSent, false)), Some((Outcome::Refused, false))]));
    let link = confirmed(&house, 1, 1).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        house.links.courier().deliver(&far).await.unwrap();
        told.push(house.links.write_back(&link).await.unwrap());
    }
    assert!(
        matches!(told[..], [Told::Failed { .. }, Told::Rejected { .. }, Told::Rejected { .. }]),
        "{told:?}"
    );
    assert_eq!(house.links.port(port(1)).await.unwrap().link(), Some(&link), "the link stands");
    assert!(house.links.courier().retry(&link).await.unwrap());
    house.links.courier().deliver(&far).await.unwrap();
    assert!(matches!(house.links.write_back(&link).await.unwrap(), Told::Acknowledged { .. }));
}

#[tokio::test]
async fn what_was_undone_before_it_was_sent_is_never_sent() {
    let (house, far) = (house(), Far::default());
    let link = confirmed(&house, 1, 1).await;
    house.links.detach(&link, DetachPolicy::KeepCustomer, "mistake").await.unwrap();
    house.links.courier().deliver(&far).await.unwrap();
    assert_eq!((far.count("save"), far.count("remove")), (0, 0));
    assert_eq!(house.links.write_back(&link).await.unwrap(), Told::Dropped);
}

#[tokio::test]
async fn the_next_on_a_port_waits_until_geosite_knows_that_it_is_free() {
    let house = house();
    let far = Far::default().plan([None, Some((Outcome::NotSent, false))]);
    let first = confirmed(&house, 2, 1).await;
    house.links.courier().deliver(&far).await.unwrap();
    house.links.detach(&first, DetachPolicy::KeepCustomer, "left").await.unwrap();
    let second = confirmed(&house, 1, 1).await; // its lane comes before the other's
    house.links.courier().deliver(&far).await.unwrap(); // the detaching fails once
    assert_eq!(house.links.write_back(&second).await.unwrap(), Told::Queued);
    for _ in 0..2 {
        house.links.courier().deliver(&far).await.unwrap();
    }
    assert_eq!((far.seats(2), far.seats(1)), (vec![None], vec![Some(port(1))]));
    assert!(matches!(house.links.write_back(&second).await.unwrap(), Told::Acknowledged { .. }));
}

#[tokio::test]
async fn of_many_proposers_at_once_one_wins() {
    let house = house();
    let mut tasks = tokio::task::JoinSet::new();
    for contract in 1..=20 {
        let links = house.links.clone();
        tasks.spawn(async move { links.propose(port(1), who(contract)).await.is_ok() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|won| *won).count(), 1);
}

#[tokio::test]
async fn links_and_write_backs_survive_a_restart_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("links.db").display());
    let shelf = Arc::new(Shelf::default());
    shelf.set(SPLITTER, Some(SplitterFacts::service(Some(8))));
    let open = async || {
        let store = Store::open(&url).await.unwrap();
        Links::new(&store, "p", shelf.clone(), Arc::new(ManualClock::new())).with_write_back()
    };
    let kept = open().await.propose(port(1), who(1)).await.unwrap();
    let link = open().await.confirm(&kept).await.unwrap();
    let far = Far::default();
    open().await.courier().deliver(&far).await.unwrap();
    let links = open().await;
    assert_eq!(links.links_of(SPLITTER).await.unwrap()[0].link, link);
    assert!(matches!(links.write_back(&link).await.unwrap(), Told::Acknowledged { .. }));
    assert_eq!(far.count("save"), 1);
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Propose(u64, u32),
    Confirm(u64, u32),
    Cancel(u64, u32),
    Detach(u64, u32),
    Deliver,
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<(Act, Option<(bool, bool)>)>> {
    let (who, port) = (1u64..4, 1u32..3);
    let act = prop_oneof![
        3 => (who.clone(), port.clone()).prop_map(|(who, port)| Act::Propose(who, port)),
        3 => (who.clone(), port.clone()).prop_map(|(who, port)| Act::Confirm(who, port)),
        1 => (who.clone(), port.clone()).prop_map(|(who, port)| Act::Cancel(who, port)),
        1 => (who, port).prop_map(|(who, port)| Act::Detach(who, port)),
        3 => Just(Act::Deliver),
        1 => (1u64..80 * 3600).prop_map(Act::Wait),
    ];
    prop::collection::vec((act, prop::option::weighted(0.3, (any::<bool>(), any::<bool>()))), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Against a model that knows only who may hold what: no reservation is lost, nobody is put out, nothing is sent for whom
    /// nothing was confirmed, and after all faults GeoSite holds each customer once, on the register's port.
    #[test]
    fn random_lives_agree_with_a_tiny_model(acts in acts()) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async move {
            let (house, far) = (house(), Far::default());
            // Port → (customer, confirmed, until).
            let mut model: BTreeMap<u32, (u64, bool, u64)> = BTreeMap::new();
            let mut kept: BTreeMap<(u64, u32), Reservation> = BTreeMap::new();
            let mut ever_confirmed = std::collections::BTreeSet::new();
            let mut now = 0;
            for (act, fault) in acts {
                model.retain(|_, (_, confirmed, until)| *confirmed || *until > now);
                match act {
                    Act::Propose(who_, port_) => {
                        let free = model.get(&port_).is_none_or(|(by, confirmed, _)| *by == who_ && !confirmed);
                        let got = house.links.propose(port(port_), who(who_)).await;
                        assert_eq!(got.is_ok(), free, "{got:?}");
                        if let Ok(reservation) = got {
                            model.entry(port_).or_insert((who_, false, now + 72 * 3600));
                            kept.insert((who_, port_), reservation);
                        }
                    }
                    Act::Confirm(who_, port_) => {
                        let Some(reservation) = kept.get(&(who_, port_)) else { continue };
                        let holds = model.get(&port_).is_some_and(|(by, ..)| *by == who_);
                        let elsewhere = model.iter().any(|(at, (by, confirmed, _))| *at != port_ && *by == who_ && *confirmed);
                        let may = holds && !elsewhere;
                        let got = house.links.confirm(reservation).await;
                        assert_eq!(got.is_ok(), may, "{got:?}");
                        if may {
                            model.insert(port_, (who_, true, 0));
                            ever_confirmed.insert(who_);
                        }
                    }
                    Act::Cancel(who_, port_) => {
                        let Some(reservation) = kept.get(&(who_, port_)) else { continue };
                        let mine = model.get(&port_).is_some_and(|(by, confirmed, _)| *by == who_ && !confirmed);
                        let got = house.links.cancel(reservation).await;
                        assert_eq!(got.is_ok(), mine || !model.contains_key(&port_), "{got:?}");
                        if mine { model.remove(&port_); }
                    }
                    Act::Detach(who_, port_) => {
                        let state = house.links.port(port(port_)).await.unwrap();
                        let Some(link) = state.link().filter(|link| link.customer.key.contract == who_) else { continue };
                        house.links.detach(link, DetachPolicy::KeepCustomer, "x").await.unwrap();
                        model.remove(&port_);
                        kept.remove(&(who_, port_));
                    }
                    Act::Deliver => {
                        let fault = fault.map(|(acts, sent)| if sent { (Outcome::Unknown, acts) } else { (Outcome::NotSent, false) });
                        far.0.lock().unwrap().faults = vec![fault];
                        house.links.courier().deliver(&far).await.unwrap();
                    }
                    Act::Wait(seconds) => {
                        house.clock.advance(Duration::from_secs(seconds));
                        now += seconds;
                    }
                }
                for (port_, (by, confirmed, until)) in &model {
                    if *confirmed || *until > now {
                        let holder = house.links.port(port(*port_)).await.unwrap();
                        assert_eq!(holder.holder().map(|key| key.contract), Some(*by), "a holder was lost");
                    }
                }
                let state = far.0.lock().unwrap();
                assert!(state.customers.iter().all(|row| ever_confirmed.contains(&row.1.contract)));
            }
            far.0.lock().unwrap().faults.clear();
            for _ in 0..8 {
                house.clock.advance(Duration::from_secs(61));
                house.links.courier().deliver(&far).await.unwrap();
            }
            for contract in 1..4 {
                let seats = far.seats(contract);
                assert!(seats.len() <= 1, "a second customer: {seats:?}");
                let on = model.iter().find(|(_, (by, confirmed, _))| *by == contract && *confirmed).map(|(at, _)| port(*at));
                assert_eq!(seats.first().copied().flatten(), on, "contract {contract}");
            }
        });
    }
}
