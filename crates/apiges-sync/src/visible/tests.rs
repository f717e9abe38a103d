//! The table of contract 4.3 row by row, and properties against a second evaluator that works on whole sets of files.

use proptest::prelude::*;

use super::*;
use crate::Secret;
use crate::grant::{UnionKey, WebGrant};
use crate::web::{AdminPair, ContactKind, FieldBox, Labelled, PreviewId};

const BOXES: [&str; 4] = ["referencia1", "referencia2", "referencia3", "clave"];
const FIELDS: [&str; 4] = ["referencia", "referencia2", "referencia3", "clave"];
const GROUPS: [&str; 2] = ["G", "H"];

/// A grant as plain data, without any of the library's types.
#[derive(Debug, Clone)]
struct Plain {
    id: u64,
    active: bool,
    group: Option<&'static str>,
    boxes: BTreeSet<usize>,
    excluded: BTreeSet<&'static str>,
    pair: Option<u8>,
    keep: bool,
}

#[derive(Debug, Clone)]
struct PlainFile {
    id: u64,
    holders: [Option<u64>; 3],
    modality: Option<&'static str>,
    state: Option<&'static str>,
}

#[derive(Debug, Clone)]
struct World {
    grants: Vec<Plain>,
    files: Vec<PlainFile>,
    members: BTreeSet<(u64, &'static str)>,
}

/// Contacts 1 to 4 are clients, 5 and 6 intermediaries, 7 an agent, 8 a supplier, which holds nothing.
fn role_of(id: u64) -> usize {
    match id {
        1..=4 => 0,
        5 | 6 => 1,
        7 => 2,
        _ => 3,
    }
}

fn contact(id: u64) -> ContactRef {
    let kind = ["C", "I", "A", "P"][role_of(id)];
    // The same code under two kinds: C/1 and I/1.
    let code = [id, id - 4.min(id), id, id][role_of(id)];
    ContactRef::new(ContactKind::from_wire(kind), code.to_string()).unwrap()
}

fn tag(pair: u8) -> PairTag {
    PairTag::from_hex(&format!("{pair:02x}").repeat(32)).unwrap()
}

impl Plain {
    fn wire(&self) -> Grant {
        let mut grant =
            WebGrant::new(contact(1), self.id).activated().unwrap().to_wire(&Rules::default()).unwrap();
        grant.contact = contact(self.id);
        grant.state = if self.active { GrantState::Active } else { GrantState::Suspended };
        grant.scope = self.group.map_or(Scope::Own, |group| Scope::Group { group: group.into() });
        grant.show = self.boxes.iter().map(|index| FieldBox::from_wire(BOXES[*index])).collect();
        grant.excluded_modalities = self.excluded.iter().map(|code| (*code).to_owned()).collect();
        grant.admin =
            self.pair.map(|pair| AdminPair { pair_tag: tag(pair), preview_id: PreviewId::new("p") });
        grant.closed_cases = if self.keep { ClosedCases::Keep } else { ClosedCases::Withdraw };
        grant
    }
}

impl PlainFile {
    fn facts(&self) -> CaseFacts {
        let [client, intermediary, agent] = self.holders;
        let full = View {
            modalidad: self.modality.map(|code| Labelled::new(code, "")),
            estado: self.state.map(|code| Labelled::new(code, "")),
            numero: Some(self.id.to_string()),
            referencia: Some("canary".into()),
            referencia2: Some("canary".into()),
            referencia3: Some("canary".into()),
            clave: Some("canary".into()),
            ..View::default()
        };
        CaseFacts { case_id: self.id, client, intermediary, agent, full }
    }
}

type Seen = BTreeMap<u64, BTreeSet<&'static str>>;

impl World {
    fn grants(&self) -> Grants {
        self.grants.iter().map(Plain::wire).collect()
    }

    fn groups(&self) -> Membership {
        let mut groups = Membership::new();
        for (id, group) in &self.members {
            groups.join(*id, contact(*id), *group);
        }
        groups
    }

    /// What the library says of every file.
    fn seen(&self, viewer: &Viewer) -> Seen {
        let (grants, groups, rules) = (self.grants(), self.groups(), Rules::default());
        let mut seen = Seen::new();
        for file in &self.files {
            if let Ok(view) = visible(viewer, &file.facts(), &grants, &groups, &rules) {
                assert_eq!(view.numero, Some(file.id.to_string()));
                let present = view.present();
                seen.insert(file.id, FIELDS.into_iter().filter(|field| present.contains(field)).collect());
            }
        }
        seen
    }

    fn viewers(&self) -> Vec<Viewer> {
        let contacts = (1..=8).map(|id| Viewer::Contact(contact(id)));
        contacts.chain([0, 1, 2].map(|pair| Viewer::Administrator(tag(pair)))).collect()
    }

    // The second evaluator: sets of files, joined and subtracted.

    fn files_where(&self, test: impl Fn(&PlainFile) -> bool) -> BTreeSet<u64> {
        self.files.iter().filter(|file| test(file)).map(|file| file.id).collect()
    }

    fn held_by(&self, role: usize, id: u64) -> BTreeSet<u64> {
        self.files_where(|file| role < 3 && file.holders[role] == Some(id))
    }

    fn shut_by(&self, excluded: &BTreeSet<&str>) -> BTreeSet<u64> {
        self.files_where(|file| {
            !excluded.is_empty() && file.modality.is_none_or(|code| excluded.contains(code))
        })
    }

    fn others_in_group(&self, grant: &Plain) -> BTreeSet<u64> {
        let group: BTreeSet<u64> =
            self.members.iter().filter(|(_, group)| Some(*group) == grant.group).map(|(id, _)| *id).collect();
        if group.contains(&grant.id) { &group - &BTreeSet::from([grant.id]) } else { BTreeSet::new() }
    }

    fn opened_by(&self, grant: &Plain) -> Seen {
        let boxes: BTreeSet<&'static str> = grant.boxes.iter().map(|index| FIELDS[*index]).collect();
        let mut opened = Seen::new();
        for file in self.held_by(role_of(grant.id), grant.id) {
            opened.insert(file, boxes.clone());
        }
        for other in self.others_in_group(grant) {
            let own: Vec<&Plain> = self.grants.iter().filter(|own| own.id == other).collect();
            let mut files = self.held_by(role_of(grant.id), other);
            let mut fields = boxes.clone();
            for own in own {
                files = &files - &self.shut_by(&own.excluded);
                fields = &fields & &own.boxes.iter().map(|index| FIELDS[*index]).collect();
            }
            opened.extend(files.into_iter().map(|file| (file, fields.clone())));
        }
        let open = self.files_where(|file| grant.keep || matches!(file.state, Some(state) if state != "B"));
        let allowed = &open - &self.shut_by(&grant.excluded);
        opened.retain(|file, _| grant.active && allowed.contains(file));
        opened
    }

    fn expected(&self, viewer: &Viewer) -> Seen {
        let looks = |grant: &&Plain| match viewer {
            Viewer::Contact(who) => contact(grant.id) == *who,
            Viewer::Administrator(who) => grant.pair.is_some_and(|pair| tag(pair).to_hex() == who.to_hex()),
        };
        let mut all = Seen::new();
        for opened in self.grants.iter().filter(looks).map(|grant| self.opened_by(grant)) {
            for (file, fields) in opened {
                let common = all.get(&file).map_or(fields.clone(), |before| before & &fields);
                all.insert(file, common);
            }
        }
        all
    }
}

fn plain(id: u64) -> impl Strategy<Value = Plain> {
    let boxes = prop::collection::btree_set(0usize..4, 0..=4);
    let excluded = prop::collection::btree_set(prop::sample::select(vec!["M", "P"]), 0..=1);
    let group = prop::option::weighted(0.6, prop::sample::select(GROUPS.to_vec()));
    (prop::bool::weighted(0.8), group, boxes, excluded, prop::option::weighted(0.7, 1u8..3), any::<bool>())
        .prop_map(move |(active, group, boxes, excluded, pair, keep)| Plain {
            id,
            active,
            group,
            boxes,
            excluded,
            pair,
            keep,
        })
}

fn world() -> impl Strategy<Value = World> {
    let each = |id| prop::option::weighted(0.8, plain(id));
    let grants = (each(1), each(2), each(3), each(4), each(5), each(6), each(7), each(8));
    let grants =
        grants.prop_map(|(a, b, c, d, e, f, g, h)| [a, b, c, d, e, f, g, h].into_iter().flatten().collect());
    let holder = || prop::option::weighted(0.9, 0u64..9);
    let modality = prop::option::weighted(0.8, prop::sample::select(vec!["M", "P", "X"]));
    let state = prop::option::weighted(0.9, prop::sample::select(vec!["A", "A", "B"]));
    let file = ((1u64..5), holder(), holder(), modality, state);
    let files = prop::collection::vec(file, 1..8).prop_map(|files| {
        let file = |(id, (client, intermediary, agent, modality, state))| PlainFile {
            id,
            holders: [Some(client), intermediary, agent],
            modality,
            state,
        };
        (1u64..).zip(files).map(file).collect()
    });
    let members = prop::collection::btree_set((1u64..9, prop::sample::select(GROUPS.to_vec())), 0..12);
    (grants, files, members).prop_map(|(grants, files, members)| World { grants, files, members })
}

/// Nothing is in `less` that is not in `more`, neither file nor field.
fn is_within(less: &Seen, more: &Seen) -> bool {
    less.iter().all(|(file, fields)| more.get(file).is_some_and(|allowed| fields.is_subset(allowed)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_second_evaluator_says_the_same(world in world()) {
        for viewer in world.viewers() {
            prop_assert_eq!(world.seen(&viewer), world.expected(&viewer), "{:?}", viewer);
        }
    }

    #[test]
    fn more_grants_never_reveal_more_than_each_alone_allows(world in world()) {
        for pair in [1, 2] {
            let union = world.seen(&Viewer::Administrator(tag(pair)));
            for grant in world.grants.iter().filter(|grant| grant.pair == Some(pair)) {
                let alone = world.seen(&Viewer::Contact(contact(grant.id)));
                for (file, fields) in &alone {
                    prop_assert!(union[file].is_subset(fields));
                }
            }
        }
    }

    #[test]
    fn flags_never_leak_across_clients_of_a_union(mut world in world()) {
        for grant in &mut world.grants {
            (grant.group, grant.pair) = (None, Some(1));
        }
        let union = world.seen(&Viewer::Administrator(tag(1)));
        for file in &world.files {
            let clients = world.grants.iter().filter(|grant| {
                role_of(grant.id) < 3 && file.holders[role_of(grant.id)] == Some(grant.id)
            });
            let boxes = |grant: &Plain| grant.boxes.iter().map(|index| FIELDS[*index]).collect::<BTreeSet<_>>();
            let anybody: BTreeSet<_> = clients.flat_map(boxes).collect();
            prop_assert!(union.get(&file.id).is_none_or(|fields| fields.is_subset(&anybody)));
        }
    }

    #[test]
    fn the_order_of_grants_does_not_matter(world in world(), seed in any::<prop::sample::Index>()) {
        let mut turned = world.clone();
        if !turned.grants.is_empty() {
            let by = seed.index(turned.grants.len());
            turned.grants.rotate_left(by);
            turned.grants.reverse();
        }
        for viewer in world.viewers() {
            prop_assert_eq!(world.seen(&viewer), turned.seen(&viewer));
        }
    }

    #[test]
    fn withdrawing_always_hides(world in world(), which in any::<prop::sample::Index>(), untick in 0usize..4) {
        prop_assume!(!world.grants.is_empty());
        let which = which.index(world.grants.len());
        let id = world.grants[which].id;
        let own = Viewer::Contact(contact(id));
        let changed = |change: &dyn Fn(&mut Plain)| {
            let mut world = world.clone();
            change(&mut world.grants[which]);
            world
        };

        let mut revoked = world.clone();
        revoked.grants.remove(which);
        prop_assert!(revoked.seen(&own).is_empty());
        prop_assert!(changed(&|grant| grant.active = false).seen(&own).is_empty());

        let excluding = changed(&|grant| grant.excluded.extend(["M"]));
        let shut = world.files_where(|file| file.modality.is_none_or(|code| code == "M"));
        prop_assert!(excluding.seen(&own).keys().all(|file| !shut.contains(file)));

        let unticked = changed(&|grant| grant.boxes.retain(|index| *index != untick));
        prop_assert!(unticked.seen(&own).values().all(|fields| !fields.contains(FIELDS[untick])));

        let narrowed = changed(&|grant| grant.group = None);
        let withdrawn = changed(&|grant| grant.keep = false);
        for viewer in world.viewers() {
            let before = world.seen(&viewer);
            // Unticking never shows more to anybody, unions and group members too.
            prop_assert!(is_within(&unticked.seen(&viewer), &before));
            for after in [&excluding, &narrowed, &withdrawn] {
                let after = after.seen(&viewer);
                if matches!(viewer, Viewer::Contact(_)) {
                    prop_assert!(is_within(&after, &before));
                }
                // In a union the files become fewer; a field may appear that only this grant hid while it reached the file (step 6).
                prop_assert!(after.keys().all(|file| before.contains_key(file)));
            }
        }
    }

    #[test]
    fn who_leaves_a_group_is_no_longer_seen_in_it(world in world(), id in 1u64..9) {
        let mut left = world.clone();
        left.members.retain(|(member, _)| *member != id);
        for grant in world.grants.iter().filter(|grant| grant.id != id) {
            let seen = left.seen(&Viewer::Contact(contact(grant.id)));
            let of_leaver = left.held_by(role_of(grant.id), id);
            prop_assert!(seen.keys().all(|file| !of_leaver.contains(file)));
        }
    }
}

fn grant(id: u64) -> Plain {
    let (boxes, excluded) = (BTreeSet::new(), BTreeSet::new());
    Plain { id, active: true, group: None, boxes, excluded, pair: None, keep: false }
}

fn file(client: u64) -> PlainFile {
    PlainFile { id: 1, holders: [Some(client), Some(5), None], modality: Some("M"), state: Some("A") }
}

fn says(grants: &[Plain], file: &PlainFile, members: &[(u64, &'static str)], viewer: &Viewer) -> String {
    let world = World {
        grants: grants.to_vec(),
        files: vec![file.clone()],
        members: members.iter().copied().collect(),
    };
    explain(viewer, &file.facts(), &world.grants(), &world.groups(), &Rules::default()).to_string()
}

fn own(id: u64) -> Viewer {
    Viewer::Contact(contact(id))
}

const WITHOUT: &str = ", without referencia (step 5: its box is not ticked), without referencia2 (step 5: its box is not ticked), \
                       without referencia3 (step 5: its box is not ticked), without clave (step 5: its box is not ticked)";

#[test]
fn step_1_own_grant_or_pair_and_only_active() {
    assert_eq!(says(&[grant(2)], &file(1), &[], &own(1)), "step 1: no grant");
    assert_eq!(says(&[grant(1)], &file(1), &[], &own(1)), format!("C/1: reaches the file{WITHOUT}"));
    let suspended = Plain { active: false, ..grant(1) };
    assert_eq!(says(&[suspended], &file(1), &[], &own(1)), "C/1: step 1: the grant is not active");
    let paired = |id, pair| Plain { pair: Some(pair), ..grant(id) };
    let grants = [paired(1, 1), paired(2, 1), paired(3, 2), grant(4)];
    let said = says(&grants, &file(2), &[], &Viewer::Administrator(tag(1)));
    assert!(
        said.starts_with("C/1: step 2:") && said.contains("\nC/2: reaches") && !said.contains("C/3"),
        "{said}"
    );
    assert_eq!(says(&grants, &file(4), &[], &Viewer::Administrator(tag(0))), "step 1: no grant");
}

#[test]
fn step_1_empty_pairs_never_match() {
    let key = UnionKey::from_hex(Secret::new("00".repeat(32))).unwrap();
    assert!(key.tag("", &Secret::new("")).is_err());
    let world = World { grants: vec![grant(1), grant(2)], files: vec![file(1)], members: BTreeSet::new() };
    for pair in 0..=255 {
        assert!(world.seen(&Viewer::Administrator(tag(pair))).is_empty());
    }
}

#[test]
fn step_2_holder_or_group_now() {
    let not_holder = "step 2: the file is held by another, and no group opens it";
    assert_eq!(says(&[grant(1)], &file(2), &[], &own(1)), format!("C/1: {not_holder}"));
    let grouped = [Plain { group: Some("G"), ..grant(1) }];
    assert!(says(&grouped, &file(2), &[(1, "G"), (2, "G")], &own(1)).contains("reaches"));
    for members in [&[(1, "G"), (2, "H")][..], &[(2, "G")], &[(1, "G")], &[]] {
        assert_eq!(says(&grouped, &file(2), members, &own(1)), format!("C/1: {not_holder}"), "{members:?}");
    }
    assert!(
        says(&[grant(5)], &file(1), &[], &own(5)).contains("I/1: reaches"),
        "the intermediary of the file"
    );
    let as_client = PlainFile { holders: [Some(5), None, None], ..file(1) };
    assert!(says(&[grant(5)], &as_client, &[], &own(5)).contains(not_holder), "held in another role");
    assert!(
        says(&[grant(8)], &file(8), &[], &own(8)).ends_with("step 2: contacts of this kind hold no files")
    );
    let nobody = Plain { id: 0, ..grant(1) };
    let facts = file(0).facts();
    let mut wire = Plain { id: 1, ..nobody }.wire();
    wire.contact_id = 0;
    let sight = visible(&own(1), &facts, &Grants::from_iter([wire]), &Membership::new(), &Rules::default());
    assert!(sight.is_err(), "id 0 is nobody");
}

#[test]
fn step_3_open_or_kept() {
    let closed = |state| PlainFile { state, ..file(1) };
    let keeps = [Plain { keep: true, ..grant(1) }];
    for state in [Some("B"), None] {
        assert_eq!(says(&[grant(1)], &closed(state), &[], &own(1)), "C/1: step 3: the file is not open");
        assert!(says(&keeps, &closed(state), &[], &own(1)).contains("reaches"));
    }
}

#[test]
fn step_4_modality_of_grant_and_holder() {
    let excluding = |id| Plain { excluded: BTreeSet::from(["M"]), ..grant(id) };
    let mine = "C/1: step 4: the grant excludes the modality";
    assert_eq!(says(&[excluding(1)], &file(1), &[], &own(1)), mine);
    assert!(
        says(&[excluding(1)], &PlainFile { modality: Some("P"), ..file(1) }, &[], &own(1))
            .contains("reaches")
    );
    assert_eq!(says(&[excluding(1)], &PlainFile { modality: None, ..file(1) }, &[], &own(1)), mine);
    let members = [(1, "G"), (2, "G")];
    let grouped = Plain { group: Some("G"), ..grant(1) };
    let theirs = "C/1: step 4: the holder's own grant excludes the modality";
    assert_eq!(says(&[grouped.clone(), excluding(2)], &file(2), &members, &own(1)), theirs);
    let suspended = Plain { active: false, ..excluding(2) };
    assert_eq!(
        says(&[grouped, suspended], &file(2), &members, &own(1)),
        theirs,
        "suspended, it restricts still"
    );
}

#[test]
fn step_5_boxes_of_grant_and_holder() {
    let all = BTreeSet::from([0, 1, 2, 3]);
    let generous = Plain { group: Some("G"), boxes: all.clone(), ..grant(1) };
    let members = [(1, "G"), (2, "G")];
    assert_eq!(says(std::slice::from_ref(&generous), &file(1), &members, &own(1)), "C/1: reaches the file");
    assert_eq!(
        says(std::slice::from_ref(&generous), &file(2), &members, &own(1)),
        "C/1: reaches the file",
        "no grant of its own"
    );
    let holder = Plain { boxes: BTreeSet::from([0, 1, 2]), ..grant(2) };
    let expected = "C/1: reaches the file, without clave (step 5: the holder's own grant does not show it)";
    assert_eq!(says(&[generous, holder], &file(2), &members, &own(1)), expected);
}

#[test]
fn step_6_only_what_all_show() {
    let shows =
        |id, boxes: &[usize]| Plain { boxes: boxes.iter().copied().collect(), pair: Some(1), ..grant(id) };
    // Client 1 and intermediary 5 both hold it.
    let world = World {
        grants: vec![shows(1, &[0, 3]), shows(5, &[0, 1])],
        files: vec![file(1)],
        members: BTreeSet::new(),
    };
    let viewer = Viewer::Administrator(tag(1));
    assert_eq!(world.seen(&viewer)[&1], BTreeSet::from(["referencia"]));
    let explanation = explain(&viewer, &file(1).facts(), &world.grants(), &world.groups(), &Rules::default());
    assert_eq!(explanation.hidden_by(CaseField::Clave), [(6, &contact(5), Mask::BoxNotTicked)]);
    assert_eq!(
        explanation.hidden_by(CaseField::Referencia3).iter().map(|by| by.0).collect::<Vec<_>>(),
        [5, 5]
    );
    assert!(explanation.hidden_by(CaseField::Referencia).is_empty());
}

#[test]
fn a_projection_names_grant_and_holder() {
    let world = World {
        grants: vec![Plain { group: Some("G"), ..grant(1) }],
        files: vec![],
        members: BTreeSet::from([(1, "G"), (2, "G")]),
    };
    let (grants, groups, rules) = (world.grants(), world.groups(), Rules::default());
    let projected =
        |facts: &CaseFacts| project(grants.get(&contact(1)).unwrap(), facts, &grants, &groups, &rules);
    let projection = projected(&file(2).facts()).unwrap();
    assert_eq!((projection.grant, projection.holder), (contact(1), contact(2)));
    assert_eq!(projection.view.present(), ["modalidad", "numero", "estado"]);
    let denial = projected(&file(3).facts()).unwrap_err();
    assert_eq!((denial.step(), denial.reason()), (2, Reason::ScopeNarrowed));
}

#[test]
fn nothing_of_a_file_is_printed() {
    let facts = file(1).facts();
    let world = World { grants: vec![grant(1)], files: vec![], members: BTreeSet::new() };
    let (grants, groups, rules) = (world.grants(), world.groups(), Rules::default());
    let sights = [own(1), own(2)].map(|viewer| {
        let explanation = explain(&viewer, &facts, &grants, &groups, &rules);
        format!("{explanation:?}{explanation}{:?}", visible(&viewer, &facts, &grants, &groups, &rules))
    });
    assert!(!format!("{facts:?}{facts:#?}{sights:?}").contains("canary"));
}

#[test]
fn a_grant_replaces_the_contacts_former_one() {
    let mut grants = Grants::new();
    let (first, second) = (grant(1).wire(), Plain { keep: true, ..grant(1) }.wire());
    grants.insert(first);
    grants.insert(second.clone());
    assert_eq!(grants.iter().count(), 1);
    assert_eq!(grants.remove(&contact(1)), Some(second));
    assert_eq!((grants.own_of(1).count(), grants.get(&contact(1))), (0, None));
}
