use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::sync::{ConflictPolicy, Form};

fn read(side: Side, record: &Value) -> CarriedClient {
    CarriedClient::read(&Mapping::default(), side, record).unwrap()
}

fn snapshot(value: Value) -> Snapshot {
    serde_json::from_value(value).unwrap()
}

/// The plan for two records under the default mapping.
fn planned(bitfactura: &Value, sugester: &Value, last: Option<Value>, policy: &ConflictPolicy) -> PairPlan {
    planned_by(&Mapping::default(), bitfactura, sugester, last, policy)
}

fn planned_by(
    mapping: &Mapping,
    bitfactura: &Value,
    sugester: &Value,
    last: Option<Value>,
    policy: &ConflictPolicy,
) -> PairPlan {
    let bitfactura = CarriedClient::read(mapping, Side::BitFactura, bitfactura).unwrap();
    let sugester = CarriedClient::read(mapping, Side::Sugester, sugester).unwrap();
    let last = last.map(snapshot);
    plan(mapping, Pair::new(&bitfactura, &sugester).since(last.as_ref()), policy)
}

fn json_of(write: &Write) -> Value {
    write.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect::<Map<_, _>>().into()
}

fn default() -> ConflictPolicy {
    ConflictPolicy::default()
}

#[test]
fn what_changed_on_one_side_is_copied() {
    let last = json!({"name": "a", "city": "b"});
    let plan = planned(
        &json!({"name": "A", "city": "b"}),
        &json!({"name": "a", "city": "B"}),
        Some(last),
        &default(),
    );
    assert_eq!(json_of(&plan.to_sugester), json!({"name": "A"}));
    assert_eq!(json_of(&plan.to_bitfactura), json!({"city": "B"}));
    assert!(plan.conflicts.is_empty());
    assert_eq!((plan.snapshot.get("name"), plan.snapshot.get("city")), (Some("A"), Some("B")));
}

#[test]
fn the_same_change_on_both_sides_is_none() {
    let plan = planned(&json!({"name": " x"}), &json!({"name": "x"}), Some(json!({"name": "a"})), &default());
    assert!(plan.is_unchanged() && plan.conflicts.is_empty());
    assert_eq!(plan.snapshot.get("name"), Some("x"));
}

#[test]
fn conflicts_are_settled_by_the_rule_and_reported_with_both_values() {
    let both = (json!({"name": "x "}), json!({"name": "y"}));
    let run = |policy| planned(&both.0, &both.1, Some(json!({"name": "a"})), &policy);
    for (policy, to_bitfactura, to_sugester, remembered) in [
        (ConflictPolicy::Newest, json!({}), json!({"name": "x"}), "x"),
        (ConflictPolicy::PreferBitFactura, json!({}), json!({"name": "x"}), "x"),
        (ConflictPolicy::PreferSugester, json!({"name": "y"}), json!({}), "y"),
        (ConflictPolicy::ReportOnly, json!({}), json!({}), "a"),
    ] {
        let plan = run(policy);
        assert_eq!((json_of(&plan.to_bitfactura), json_of(&plan.to_sugester)), (to_bitfactura, to_sugester));
        assert_eq!(plan.snapshot.get("name"), Some(remembered));
        let dispute = &plan.conflicts[0].dispute;
        assert_eq!((dispute.bitfactura.as_deref(), dispute.sugester.as_deref()), (Some("x"), Some("y")));
        assert_eq!(dispute.last_synced.as_deref(), Some("a"));
    }
}

#[test]
fn times_reach_the_rule() {
    let (bitfactura, sugester) =
        (read(Side::BitFactura, &json!({"name": "x"})), read(Side::Sugester, &json!({"name": "y"})));
    let later = |side: &str| {
        let (early, late) = ("2024-11-08T10:00:00Z".parse().ok(), "2024-11-08T10:00:03Z".parse().ok());
        let pair = Pair::new(&bitfactura, &sugester);
        let pair =
            if side == "sugester" { pair.updated_at(early, late) } else { pair.updated_at(late, early) };
        plan(&Mapping::default(), pair, &default())
    };
    assert_eq!(json_of(&later("sugester").to_bitfactura), json!({"name": "y"}));
    assert_eq!(json_of(&later("bitfactura").to_sugester), json!({"name": "x"}));
}

#[test]
fn an_empty_value_clears_only_what_the_snapshot_knows() {
    let (empty, full) = (json!({"name": "a", "phone": ""}), json!({"name": "a", "phone": "5"}));
    let known = || Some(json!({"name": "a", "phone": "5"}));
    assert_eq!(json_of(&planned(&empty, &full, known(), &default()).to_sugester), json!({"phone": null}));
    assert_eq!(json_of(&planned(&full, &empty, known(), &default()).to_bitfactura), json!({"phone": null}));
    // Never in a first synchronisation, nor where the field was not carried or was empty before.
    for last in [None, Some(json!({"name": "a"})), Some(json!({"name": "a", "phone": ""}))] {
        let plan = planned(&empty, &full, last, &default());
        assert!(plan.to_sugester.is_empty());
        assert_eq!(json_of(&plan.to_bitfactura), json!({"phone": "5"}));
    }
}

#[test]
fn company_is_sent_with_every_write_and_alone_never() {
    let last = json!({"name": "a", "company": "true"});
    let plan = planned(
        &json!({"name": "b", "company": "1"}),
        &json!({"name": "a", "company": true}),
        Some(last),
        &default(),
    );
    assert_eq!(json_of(&plan.to_sugester), json!({"name": "b", "company": true}));
    let plan = planned(
        &json!({"name": "a", "company": "1"}),
        &json!({"name": "a", "company": true}),
        None,
        &default(),
    );
    assert!(plan.is_unchanged());
}

#[test]
fn writes_ask_the_receiver_not_to_fire() {
    let plan = planned(&json!({"name": "b"}), &json!({}), None, &default());
    assert_eq!(Value::from(plan.to_sugester.to_json()), json!({"name": "b", "skip_webhooks": true}));
}

#[test]
fn kind_both_is_a_buyer_in_sugester_and_stays_in_bitfactura() {
    let plan = planned(&json!({"kind": "both"}), &json!({"kind": "buyer"}), None, &default());
    assert!(plan.is_unchanged());
    let plan = planned(&json!({"kind": "both"}), &json!({}), None, &default());
    assert_eq!(json_of(&plan.to_sugester), json!({"kind": "buyer"}));
}

#[test]
fn a_new_record_gets_what_the_source_holds() {
    let source =
        read(Side::BitFactura, &json!({"name": "a", "discount": "5,0", "fax": "", "company": "0", "id": 4}));
    let plan = plan_new(&Mapping::default(), &source, Side::Sugester);
    assert_eq!(json_of(&plan.to_sugester), json!({"name": "a", "discount": "5.0", "company": false}));
    assert!(plan.to_bitfactura.is_empty() && plan.conflicts.is_empty());
    let source = read(Side::Sugester, &json!({"name": "a"}));
    let plan = plan_new(&Mapping::default(), &source, Side::BitFactura);
    assert_eq!(json_of(&plan.to_bitfactura), json!({"name": "a", "company": true}));
}

#[test]
fn one_way_fields_follow_their_source_and_report_edits_of_the_target() {
    let mapping = Mapping::new(vec![
        FieldRule::same("note").renamed_in_sugester("description").one_way(Direction::ToSugester),
        FieldRule::same("phone").one_way(Direction::ToBitFactura),
    ])
    .unwrap();
    let run = |bitfactura: Value, sugester: Value, last| {
        planned_by(&mapping, &bitfactura, &sugester, last, &default())
    };
    let plan = run(json!({"note": "n", "phone": "1"}), json!({"description": "", "phone": ""}), None);
    assert_eq!(json_of(&plan.to_sugester), json!({"description": "n"}));
    assert!(plan.to_bitfactura.is_empty() && plan.conflicts.is_empty());

    let plan = run(json!({"note": "n"}), json!({"description": "edited"}), Some(json!({"note": "n"})));
    assert_eq!(json_of(&plan.to_sugester), json!({"description": "n"}));
    assert_eq!(plan.conflicts.len(), 1);

    let cleared = run(json!({"note": ""}), json!({"description": "n"}), Some(json!({"note": "n"})));
    assert_eq!(json_of(&cleared.to_sugester), json!({"description": null}));
    let never_had = run(json!({"note": ""}), json!({"description": "own"}), Some(json!({"note": ""})));
    assert!(never_had.is_unchanged());
}

/// What a side holds after a write: the write over the record, under the wire names of that side.
fn after(mapping: &Mapping, side: Side, record: &Value, write: &Write) -> (Value, CarriedClient) {
    let mut record = record.as_object().unwrap().clone();
    record.extend(write.iter().map(|(name, value)| (name.to_owned(), value.clone())));
    let record = Value::from(record);
    let carried = CarriedClient::read(mapping, side, &record).unwrap();
    (record, carried)
}

fn small_mapping(directions: [Direction; 3]) -> Mapping {
    let [name, note, discount] = directions;
    Mapping::new(vec![
        FieldRule::same("name").one_way(name),
        FieldRule::same("note").renamed_in_sugester("description").one_way(note),
        FieldRule::same("discount").of_form(Form::Decimal).one_way(discount),
        FieldRule::same("email").of_form(Form::Email),
        FieldRule::same("company").of_form(Form::YesNo),
        FieldRule::same("kind").of_form(Form::ClientKind),
    ])
    .unwrap()
}

fn any_direction() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![
        Direction::Both,
        Direction::Both,
        Direction::ToSugester,
        Direction::ToBitFactura,
    ])
}

fn any_policy() -> impl Strategy<Value = ConflictPolicy> {
    prop::sample::select(vec![
        ConflictPolicy::Newest,
        ConflictPolicy::PreferBitFactura,
        ConflictPolicy::PreferSugester,
        ConflictPolicy::ReportOnly,
    ])
}

fn any_record(note: &'static str) -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec!["", " ", "a", "A ", "b"]);
    let number = prop::sample::select(vec!["", "1", "1.0", "2,5", "x"]);
    let truth = prop::sample::select(vec!["", "1", "0", "true"]);
    let kind = prop::sample::select(vec!["", "buyer", "seller", "both"]);
    (text.clone(), text.clone(), number, text, truth, kind).prop_map(move |(name, description, discount, email, company, kind)| {
        json!({"name": name, note: description, "discount": discount, "email": email, "company": company, "kind": kind})
    })
}

fn any_snapshot() -> impl Strategy<Value = Option<Value>> {
    let last = any_record("note").prop_map(|record| {
        let normal = read_by(&small_mapping([Direction::Both; 3]), &record).normalised();
        let all = ["name", "note", "discount", "email", "company", "kind"];
        all.iter()
            .map(|field| ((*field).to_owned(), Value::from(normal.get(field))))
            .collect::<Map<_, _>>()
            .into()
    });
    prop::option::of(last)
}

fn read_by(mapping: &Mapping, record: &Value) -> CarriedClient {
    CarriedClient::read(mapping, Side::BitFactura, record).unwrap()
}

proptest! {
    #[test]
    fn a_plan_makes_both_sides_equal_and_the_next_one_is_empty(
        directions in [any_direction(), any_direction(), any_direction()],
        bitfactura in any_record("note"),
        sugester in any_record("description"),
        last in any_snapshot(),
        policy in any_policy(),
    ) {
        let mapping = small_mapping(directions);
        let first = planned_by(&mapping, &bitfactura, &sugester, last, &policy);
        let (bitfactura, here) = after(&mapping, Side::BitFactura, &bitfactura, &first.to_bitfactura);
        let (sugester, there) = after(&mapping, Side::Sugester, &sugester, &first.to_sugester);
        for rule in mapping.fields() {
            let field = rule.bitfactura();
            let is_left = first.conflicts.iter().any(|c| c.dispute.field == field && c.winner == Winner::Neither);
            // The source of a one-way field has nothing to say.
            let is_kept = match rule.direction() {
                Direction::Both => false,
                Direction::ToSugester => here.get(field).is_none(),
                Direction::ToBitFactura => there.get(field).is_none(),
            };
            prop_assert!(is_left || is_kept || here.normal(field) == there.normal(field), "{field}");
        }
        let last = serde_json::to_value(&first.snapshot).unwrap();
        let second = planned_by(&mapping, &bitfactura, &sugester, Some(last), &policy);
        prop_assert!(second.is_unchanged(), "{second:?}");
        let left = first.conflicts.iter().filter(|conflict| conflict.winner == Winner::Neither).count();
        prop_assert_eq!(second.conflicts.len(), left);
        prop_assert_eq!(second.snapshot, first.snapshot);
    }

    #[test]
    fn equal_records_are_never_written(record in any_record("note"), last in any_snapshot(), policy in any_policy()) {
        let mapping = Mapping::default();
        let plan = planned_by(&mapping, &record, &record, last, &policy);
        prop_assert!(plan.is_unchanged() && plan.conflicts.is_empty());
    }

    #[test]
    fn a_first_run_clears_nothing(
        bitfactura in any_record("note"),
        sugester in any_record("description"),
        policy in any_policy(),
    ) {
        let plan = planned_by(&small_mapping([Direction::Both; 3]), &bitfactura, &sugester, None, &policy);
        for (_, value) in plan.to_bitfactura.iter().chain(plan.to_sugester.iter()) {
            prop_assert!(!value.is_null());
        }
    }

    #[test]
    fn nothing_is_written_against_the_direction(bitfactura in any_record("note"), sugester in any_record("description"), last in any_snapshot()) {
        let mapping = small_mapping([Direction::Both; 3]).all_one_way(Direction::ToSugester);
        let plan = planned_by(&mapping, &bitfactura, &sugester, last, &default());
        prop_assert!(plan.to_bitfactura.is_empty());
    }
}
