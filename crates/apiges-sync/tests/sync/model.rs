//! Whatever happens in whatever order, in the end every viewer sees exactly what contract 4.3 says, by an evaluation that is written here
//! and knows nothing of the library's.

use std::collections::BTreeMap;
use std::time::Duration;

use apiges_sync::grant::{PairTag, WebGrant};
use apiges_sync::sync::*;
use apiges_sync::web::*;
use serde_json::Value;

use super::fuse::Fuse;
use super::portal::Fault;
use super::world::*;

const BOXES: [(&str, &str); 4] = [
    ("referencia1", "referencia"),
    ("referencia2", "referencia2"),
    ("referencia3", "referencia3"),
    ("clave", "clave"),
];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What a grant opens, by the contract's table.
fn expected(world: &World, grant: &Grant) -> BTreeMap<u64, Value> {
    let grants: Vec<Grant> = world.portal.state().grants.values().cloned().collect();
    let groups = world.groups.now();
    let mut seen = BTreeMap::new();
    if grant.state != GrantState::Active {
        return seen;
    }
    for (id, file) in &world.firm.0.lock().unwrap().files {
        let holder = if grant.contact.kind().as_str() == "C" { file.client } else { file.intermediary };
        let Some(holder) = holder else { continue };
        let own = holder == grant.contact_id;
        let together = match &grant.scope {
            Scope::Own => false,
            Scope::Group { group } => {
                groups.contains(holder, group) && groups.contains(grant.contact_id, group)
            }
        };
        let mut view = serde_json::to_value(&file.full).unwrap();
        let closed = view["estado"]["codigo"] == "B";
        let modality = view["modalidad"]["codigo"].as_str().unwrap().to_owned();
        let judges: Vec<&Grant> =
            grants.iter().filter(|other| !own && other.contact_id == holder).chain([grant]).collect();
        let excluded = judges.iter().any(|judge| judge.excluded_modalities.contains(&modality));
        if !(own || together) || (closed && grant.closed_cases != ClosedCases::Keep) || excluded {
            continue;
        }
        let fields = view.as_object_mut().unwrap();
        for (name, field) in BOXES {
            if !judges.iter().all(|judge| judge.show.iter().any(|ticked| ticked.as_str() == name)) {
                fields.remove(field);
            }
        }
        let text = serde_json::json!([{ "descripcion": format!("{id} in Es") }]);
        fields.insert("descripciones".to_owned(), text);
        seen.insert(*id, view);
    }
    seen
}

pub(crate) fn check(world: &World, what: &str) {
    let grants: Vec<Grant> = world.portal.state().grants.values().cloned().collect();
    let mut unions: BTreeMap<String, BTreeMap<u64, Value>> = BTreeMap::new();
    for grant in &grants {
        let right = expected(world, grant);
        assert_eq!(world.portal.sees(&grant.contact), right, "{what}: {}", grant.contact);
        let Some(admin) = &grant.admin else { continue };
        let union = unions.entry(admin.pair_tag.to_hex()).or_default();
        for (id, view) in right {
            let fields = view.as_object().unwrap().clone();
            let own = union.entry(id).or_insert(view);
            own.as_object_mut().unwrap().retain(|field, _| {
                fields.contains_key(field) || !BOXES.iter().any(|(_, boxed)| boxed == field)
            });
        }
    }
    for (tag, right) in unions {
        assert_eq!(world.portal.union_sees(&tag), right, "{what}: union");
    }
    assert_eq!(world.portal.state().excesses, Vec::<String>::new(), "{what}");
    assert_eq!(world.portal.state().case_overlaps, 0, "{what}: O3");
}

fn start() -> World {
    let world = world();
    for id in 1..=8 {
        let mut file = file(id, id % 4 + 1);
        file.intermediary = (id % 3 == 0).then_some(5);
        if id % 2 == 0 {
            modality(&mut file, "P");
        }
        world.firm.put(file);
    }
    world.groups.change(|groups| {
        groups.join(1, client("1"), "G");
        groups.join(2, client("2"), "G");
    });
    world
}

fn contact(id: u64, world: &World) -> ContactRef {
    let state = world.portal.state();
    let known = state.grants.values().find(|grant| grant.contact_id == id).map(|grant| grant.contact.clone());
    known.unwrap_or_else(|| match id {
        5 => ContactRef::new(ContactKind::Intermediary, "5").unwrap(),
        _ => client(&id.to_string()),
    })
}

/// A step: what a caller does who does it again if he was not told that it is done.
async fn step(world: &World, sync: &WebSync, dice: &mut Dice, name: &mut String) {
    let (id, case) = (dice.roll(5) + 1, dice.roll(8) + 1);
    let contact = contact(id, world);
    let kind = dice.roll(18);
    *name = format!("{kind} of {contact} or {case}");
    let there = world.firm.0.lock().unwrap().files.contains_key(&case);
    match kind {
        0 | 1 => {
            let mut grant = WebGrant::new(contact, id).activated().unwrap();
            for (name, _) in BOXES.iter().filter(|_| dice.roll(2) == 0) {
                grant = grant.show(FieldBox::from_wire(name));
            }
            drop(sync.open(&grant, "ana").await);
        }
        2..=5 => {
            let Some(mut grant) = sync.grant(&contact).await.unwrap() else { return };
            let ticked = FieldBox::from_wire(BOXES[usize::try_from(dice.roll(4)).unwrap()].0);
            grant = match dice.roll(9) {
                0 | 1 => grant.show(ticked),
                2 | 3 => grant.hide(&ticked),
                4 => grant.exclude_modality("P"),
                5 => grant.include_modality("P"),
                6 => grant.group("G"),
                7 => grant.own(),
                _ => grant.closed_cases(if dice.roll(2) == 0 {
                    ClosedCases::Keep
                } else {
                    ClosedCases::Withdraw
                }),
            };
            drop(sync.revise(&grant, "ana").await);
        }
        6 => drop(sync.suspend(&contact, "ana").await),
        7 => drop(sync.resume(&contact, "ana").await),
        8 => drop(sync.revoke(&contact, "ana").await),
        9 => {
            let (member, joins) = (dice.roll(4) + 1, dice.roll(2) == 0);
            world.groups.change(|groups| {
                if joins {
                    groups.join(member, client(&member.to_string()), "G");
                } else {
                    groups.leave(member, "G");
                }
            });
            sync.membership_changed(&client(&member.to_string()), member).await.unwrap();
        }
        10 if there => {
            let to = dice.roll(4) + 1;
            world.firm.edit(case, |file| file.client = Some(to));
            sync.saved(case, world.now()).await.unwrap();
        }
        11 if there => {
            let shut = dice.roll(2) == 0;
            world.firm.edit(case, if shut { close } else { reopen });
            sync.saved(case, world.now()).await.unwrap();
        }
        12 => {
            if there && dice.roll(3) == 0 {
                world.firm.0.lock().unwrap().files.remove(&case);
            } else {
                world.firm.put(file(case, dice.roll(4) + 1));
            }
            sync.removed(case).await.unwrap();
        }
        13 => {
            let tag = PairTag::from_hex(&"ab".repeat(32)).unwrap();
            let Some(grant) = sync.grant(&contact).await.unwrap() else { return };
            let mut wire = grant.to_wire(&apiges_sync::grant::Rules::default()).unwrap();
            let Ok(preview) = sync.preview_union(&tag, &contact).await else { return };
            wire.admin = Some(AdminPair { pair_tag: tag, preview_id: preview.preview_id });
            drop(sync.revise(&WebGrant::stored(wire), "ana").await);
        }
        // Whatever they meet: nobody calls again.
        15 => drop(sync.push_contact(&contact, &LoadOptions::new()).await),
        16 => drop(sync.initial_load(&LoadOptions::new()).await),
        17 => drop(sync.scan().await),
        _ if there => {
            world.firm.edit(case, |file| file.full.numero = Some(format!("N{}", dice.roll(1000))));
            sync.saved(case, world.now()).await.unwrap();
        }
        _ => {}
    }
}

const FAILING: [&str; 9] = ["W12", "W13", "W14", "W21", "W22", "W23", "W25", "W30", "W40"];

async fn run(seed: u64, steps: u64) {
    let mut dice = Dice(seed);
    let world = start();
    let mut sync = world.engine();
    for number in 0..steps {
        world.firm.0.lock().unwrap().incomplete = dice.roll(2) == 0;
        for _ in 0..dice.roll(3) {
            let row = FAILING[usize::try_from(dice.roll(9)).unwrap()];
            let fault =
                [Fault::Unreached, Fault::LostAnswer, Fault::Down][usize::try_from(dice.roll(3)).unwrap()];
            world.portal.fail(row, fault);
        }
        let mut name = String::new();
        for _ in 0..=dice.roll(2) {
            step(&world, &sync, &mut dice, &mut name).await;
            if dice.roll(3) == 0 {
                sync.drain().await.unwrap();
            }
        }
        if dice.roll(4) == 0 {
            sync = world.engine();
            world.clock.advance(Duration::from_secs(31));
        }
        world.settle(&sync).await;
        assert_eq!(sync.dead().await.unwrap(), [], "seed {seed}, step {number}: {name}");
        check(&world, &format!("seed {seed}, step {number}: {name}"));
    }
    world.portal.state().faults.clear();
    let found = sync.reconcile().await.unwrap();
    if let Some(contact) = found.mismatches.first() {
        let held: Vec<_> = world
            .portal
            .state()
            .cases
            .iter()
            .filter_map(|(id, case)| Some((*id, case.held.get(contact)?.clone())))
            .collect();
        let grant = world.portal.state().grants.get(contact).cloned();
        panic!("seed {seed}: {contact} {grant:?}\n{held:?}\n{}", world.dump().await);
    }
    assert_eq!(sync.numbers().await.unwrap().implicit, 0, "seed {seed}: the ledger knows all holders");
}

#[tokio::test]
async fn in_the_end_everybody_sees_what_he_may() {
    for seed in 0..60 {
        run(seed, 25).await;
    }
}

/// The same walk, killed after every step of it, by a caller who repeats what he was not told to be done.
#[tokio::test]
async fn killed_at_any_step_it_goes_on() {
    let mut killed = 0;
    for seed in 100..112 {
        for after in 0..400 {
            let world = start();
            let sync = world.engine();
            let mut dice = Dice(seed);
            let mut name = String::new();
            for _ in 0..4 {
                step(&world, &sync, &mut dice, &mut name).await;
            }
            world.settle(&sync).await;
            let fuse = Fuse::after(after);
            let doomed = world.engine_with(&fuse);
            let before = dice.0;
            let walk = async {
                for _ in 0..3 {
                    step(&world, &doomed, &mut dice, &mut name).await;
                }
                doomed.drain().await.unwrap();
            };
            let died = fuse.watch(walk).await.is_none();
            killed += usize::from(died);
            world.clock.advance(Duration::from_secs(31));
            let sync = world.engine();
            if died {
                world.portal.state().under_way.clear();
                let mut again = Dice(before);
                for _ in 0..3 {
                    step(&world, &sync, &mut again, &mut name).await;
                }
                for id in 1..=8 {
                    sync.saved(id, world.now()).await.unwrap();
                }
            }
            world.settle(&sync).await;
            assert_eq!(sync.dead().await.unwrap(), [], "seed {seed}, killed after {after}");
            check(&world, &format!("seed {seed}, killed after {after}: {name}"));
            if !died {
                break;
            }
        }
    }
    assert!(killed > 100, "{killed}");
}
