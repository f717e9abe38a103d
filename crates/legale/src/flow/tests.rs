use proptest::prelude::*;
use serde_json::json;

use super::*;

fn faults(builder: &FlowBuilder) -> Vec<(&'static str, String)> {
    builder.check().as_slice().iter().map(|fault| (fault.rule(), fault.path().to_owned())).collect()
}

fn one(signer: Signer) -> FlowBuilder {
    Flow::sequential().signer(signer).document_subject("Venta")
}

fn link(email: &str) -> Signer {
    Signer::outsider(SignMethod::NoSms, email)
}

fn advanced(rut: &str) -> Signer {
    Signer::outsider(SignMethod::Fea, "a@b").name("Ana", "Ruiz").rut(rut)
}

/// Everything that any method needs, so that only the pair decides.
fn complete(flow: &SignFlow, method: &SignMethod) -> Signer {
    let signer = Signer::new(flow.clone(), method.clone(), "a@b").name("Ana", "Ruiz");
    match method {
        SignMethod::Sms => signer.phone("+56912345678"),
        SignMethod::Fea => signer.rut("12.345.678-5"),
        SignMethod::TabletSign => signer.device("d1").fingerprint(false).identity_card(true),
        _ => signer,
    }
}

#[test]
fn every_allowed_pair_is_built_and_every_other_refused_by_its_rule() {
    let mut built = 0;
    for flow in SignFlow::LISTED {
        for method in SignMethod::LISTED {
            let builder = one(complete(flow, method));
            if flow.allows(method) {
                let body = builder.build().unwrap().to_body();
                assert_eq!(body["signer_list"][0]["sign_flow"], flow.as_str());
                assert_eq!(body["signer_list"][0]["sign_method"], method.as_str());
                built += 1;
            } else {
                let error = builder.build().unwrap_err();
                let rules: Vec<_> = error.faults().iter().map(Fault::rule).collect();
                assert!(error.is_not_sent() && rules.contains(&"PAIR"), "{flow} {method}: {error}");
            }
        }
    }
    assert_eq!(built, 15);
}

/// Contract 4.1 "Errors": each row alone.
#[test]
fn every_error_has_its_rule_and_path() {
    let tablet = |signer: Signer| Signer::new(SignFlow::Tablet, SignMethod::TabletSign, signer.email());
    let table = [
        (Flow::sequential(), "SIGNERS", "signer_list"),
        (one(Signer::user(SignMethod::Sms, "a@b")), "PAIR", "signer_list[0].sign_method"),
        (one(Signer::me(SignMethod::from_wire("bit4id"), "a@b")), "OPEN", "signer_list[0].sign_method"),
        (one(Signer::me(SignMethod::Sms, "a@b")), "REQUIRED", "signer_list[0].phone"),
        (one(advanced(" ")), "REQUIRED", "signer_list[0].rut"),
        (one(tablet(link("a@b")).device("d").fingerprint(true)), "REQUIRED", "signer_list[0].is_NID"),
        (one(link("a@b@c")), "EMAIL", "signer_list[0].email"),
        (one(link("a@b")).share_with("x", "X"), "EMAIL", "shared_list[0].email"),
        (one(link("a@b").phone("1234567")), "PHONE", "signer_list[0].phone"),
        (one(link("a@b")).expires_in_days(0), "EXPIRATION", "expiration"),
        (one(advanced("11.222.333-k")), "RUT", "signer_list[0].rut"),
        (
            one(Signer::user(SignMethod::NoCertification, "a@b").selfie_check()),
            "IDENTITY",
            "signer_list[0].selfie_validation",
        ),
        (one(link("a@b").identity_card(true)), "TABLET", "signer_list[0].is_NID"),
        (one(link("a@b").at(Placement::sign_box(9, 0, 3, 10, 1))), "BOX", "signer_list[0].x2"),
        (one(link("a@b").at(Placement::anchor(" \n"))), "ANCHOR", "signer_list[0].anchor"),
        (one(link("a@b")).min_level(Level::Certificate), "LEVEL", "signer_list[0].sign_method"),
        (one(link("a@b").status_callback("/here")), "CALLBACK", "signer_list[0].sign_status_callback_url"),
        (Flow::builder(Order::from_wire("x")).signer(link("a@b")), "OPEN", "flow_type"),
    ];
    for (builder, rule, path) in table {
        assert_eq!(faults(&builder), [(rule, path.to_owned())]);
        assert!(builder.build().unwrap_err().is_not_sent());
    }
}

/// Contract 4.1 "Warnings": each row alone; the flow is built.
#[test]
fn every_warning_is_kept_in_the_flow() {
    let wide = |x2| Placement::sign_box(0, 0, x2, 100, 1);
    let table = [
        (one(link("a@b")).signer(link("A@B")), "SAME-EMAIL", "signer_list[1].email"),
        (
            one(link("a@b").at(Placement::anchor("x"))).signer(link("c@d").at(Placement::anchor(" x "))),
            "SAME-ANCHOR",
            "signer_list[1].anchor",
        ),
        (one(Signer::approver("a@b")), "ONLY-APPROVERS", "signer_list"),
        (one(link("a@b").at(wide(269))), "BOX-RATIO", "signer_list[0].x2"),
        (one(link("a@b").at(wide(331))), "BOX-RATIO", "signer_list[0].x2"),
        (one(link("a@b").at(Placement::anchor("ñ".repeat(64)))), "ANCHOR-LENGTH", "signer_list[0].anchor"),
        (Flow::parallel().signer(Signer::portal("a@b")), "PORTAL-SUBJECT", "subject"),
    ];
    for (builder, rule, path) in table {
        assert_eq!(faults(&builder), [(rule, path.to_owned())]);
        assert_eq!(builder.build().unwrap().warnings().len(), 1);
    }
    for builder in [
        one(link("a@b").at(wide(270))),
        one(link("a@b").at(wide(330))),
        one(link("a@b").at(Placement::anchor("ñ".repeat(63)))),
        one(Signer::portal("a@b")),
    ] {
        assert_eq!(faults(&builder), []);
    }
}

/// Contract 5: right RUTs and the vendor's own wrong ones; the last six are not in the contract (checked by hand).
#[test]
fn an_advanced_signature_needs_a_right_rut() {
    let right =
        ["12.345.678-5", "15.509.661-6", "12678579-8", "17.951.585-7", "12.667.869-k", "09.868.503-0"];
    for rut in right.into_iter().chain(["11222333-9", "30.686.957-4", "7-8", "76.192.083-9", "60803000-K"]) {
        assert_eq!(faults(&one(advanced(rut))), [], "{rut}");
    }
    let wrong = ["11.222.333-4", "11.222.333-5", "11.222.333-6", "11.222.333-k", "11222333-4"];
    for rut in
        wrong.into_iter().chain(["12345678-4", "0-0", "123456789-2", "12.345.67-8", "rut", "99999999-0"])
    {
        assert_eq!(faults(&one(advanced(rut))), [("RUT", "signer_list[0].rut".to_owned())], "{rut}");
    }
}

#[test]
fn all_problems_come_at_once_with_the_index_of_their_signer() {
    let builder = Flow::parallel()
        .signer(Signer::me(SignMethod::Sms, "").video_check())
        .signer(
            advanced("1-1")
                .at(Placement::Box(SignBox::from_parts([Some(-1), None, Some(2), Some(3)], Some(0)))),
        )
        .expires_in_days(0);
    let at = |index: usize, field: &str| format!("signer_list[{index}].{field}");
    let expected = [
        ("EXPIRATION", "expiration".to_owned()),
        ("EMAIL", at(0, "email")),
        ("REQUIRED", at(0, "phone")),
        ("RUT", at(1, "rut")),
        ("BOX", at(1, "x1")),
        ("BOX", at(1, "y1")),
        ("BOX", at(1, "pageno")),
    ];
    assert_eq!(faults(&builder), expected);
}

#[test]
fn identity_checks_go_with_the_two_simple_methods() {
    for method in SignMethod::LISTED {
        for flow in SignFlow::LISTED.iter().filter(|flow| flow.allows(method)) {
            let signer = complete(flow, method).video_check().selfie_check().id_check();
            let refused = !matches!(method.as_str(), "sms" | "no_sms");
            assert_eq!(
                faults(&one(signer)).len(),
                if refused { 3 } else { 0 } + usize::from(method.is_approval())
            );
        }
    }
}

#[test]
fn a_demanded_level_is_the_least_and_spares_approvers() {
    let flow = || Flow::sequential().signer(Signer::approver("x@y")).min_level(Level::Advanced);
    assert_eq!(faults(&flow().signer(advanced("12345678-5"))), []);
    let rules = faults(&flow().signer(Signer::me(SignMethod::Certification, "a@b")));
    assert_eq!(rules, [("LEVEL", "signer_list[1].sign_method".to_owned())]);
    let unknown = Signer::me(SignMethod::unchecked("bit4id"), "a@b");
    assert_eq!(faults(&flow().signer(unknown)).len(), 1);
}

#[test]
fn what_is_forced_goes_out_as_it_is() {
    let signer = Signer::new(SignFlow::unchecked("robot"), SignMethod::Fea, "a@b").name("A", "B").rut("7-8");
    let body = one(signer).build().unwrap().to_body();
    assert_eq!(body["signer_list"][0]["sign_flow"], "robot");
}

/// Contract 3.5: the exact wire names; what was not said is left out.
#[test]
fn the_body_has_the_wire_names_and_nothing_unset() {
    let bare = one(link("a@b")).build().unwrap().to_body();
    let signer = json!({"sign_flow": "other", "sign_method": "no_sms", "email": "a@b",
        "video_validation": false, "selfie_validation": false, "id_validation": false});
    assert_eq!(bare, json!({"flow_type": "priority", "shared_list": [], "signer_list": [signer]}));

    let full = Flow::parallel()
        .signer(
            Signer::tablet("t@b", "dev-1", true, false)
                .name("Ana", "Ruiz")
                .second_last_name("Paz")
                .phone(" +56 9 1234 5678 "),
        )
        .signer(
            link("b@b")
                .at(Placement::sign_box(10, 20, 190, 80, 2))
                .skip_email()
                .selfie_check()
                .status_callback("https://me.example/s/secret"),
        )
        .signer(Signer::approving_api("c@b").at(Placement::anchor(" FirmaC ")))
        .expires_in_days(7)
        .share_with_signers(true)
        .share_with("x@y", "Equis");
    let expected = json!({
        "flow_type": "simultaneously",
        "expiration": 7,
        "share_signed_document": true,
        "shared_list": [{"email": "x@y", "name": "Equis"}],
        "signer_list": [
            {"sign_flow": "tablet", "sign_method": "tablet_sign", "email": "t@b", "firstname": "Ana", "lastname1": "Ruiz",
             "lastname2": "Paz", "phone": "+56 9 1234 5678", "device_id": "dev-1", "is_fingerprint": true, "is_NID": false,
             "video_validation": false, "selfie_validation": false, "id_validation": false},
            {"sign_flow": "other", "sign_method": "no_sms", "email": "b@b", "video_validation": false,
             "selfie_validation": true, "id_validation": false, "x1": 10, "y1": 20, "x2": 190, "y2": 80, "pageno": 2,
             "skip_email": true, "sign_status_callback_url": "https://me.example/s/secret"},
            {"sign_flow": "approve", "sign_method": "approve_api", "email": "c@b", "video_validation": false,
             "selfie_validation": false, "id_validation": false, "anchor": "FirmaC"},
        ],
    });
    assert_eq!(full.build().unwrap().to_body(), expected);
}

#[test]
fn an_advanced_signature_asks_for_its_contact_first() {
    let flow = one(advanced("12.345.678-5")).signer(link("x@y").rut("7-8")).build().unwrap();
    let needs: Vec<_> = flow.contacts().collect();
    assert_eq!(needs.len(), 1);
    assert_eq!((needs[0].email.as_str(), needs[0].rut.wire().as_str()), ("a@b", "12345678-5"));
    assert!(!flow.dry_run().to_string().contains("12345678"), "the start has no field for it");
}

#[test]
fn only_a_flow_with_the_account_itself_needs_the_right_to_sign() {
    assert!(!one(link("a@b")).build().unwrap().signs_itself());
    assert!(one(Signer::me(SignMethod::NoSms, "a@b")).build().unwrap().signs_itself());
}

#[test]
fn groups_become_one_flow_or_a_proposal_of_several() {
    let one_by_one = Groups::new().group([link("a@b")]).group([]).group([link("c@d")]);
    assert_eq!(*one_by_one.build().unwrap().order(), Order::Sequential);
    let at_once = Groups::new().group([link("a@b"), link("c@d")]);
    assert_eq!(*at_once.build().unwrap().order(), Order::Parallel);
    let error = Groups::new()
        .group([link("a@b")])
        .group([link("b@b")])
        .group([link("c@b"), link("d@b")])
        .group([link("e@b")])
        .build()
        .unwrap_err();
    let mixed: &MixedGroups = error.find_source().unwrap();
    let built: Vec<_> = mixed.proposal().iter().map(|flow| flow.clone().build().unwrap()).collect();
    let shapes: Vec<_> = built.iter().map(|flow| (flow.order().clone(), flow.signers().len())).collect();
    assert_eq!(shapes, [(Order::Sequential, 2), (Order::Parallel, 2), (Order::Sequential, 1)]);
    assert_eq!(error.faults()[0].rule(), "GROUPS");
}

#[test]
fn no_secret_of_a_callback_is_printed() {
    let good = one(link("a@b").status_callback("https://me.example/sentinel"));
    let bad = one(link("a@b").status_callback("sentinel"));
    let shown = format!("{good:?}{:?}{:?}", good.clone().build().unwrap(), bad.build().unwrap_err());
    assert!(!shown.contains("sentinel"));
}

proptest! {
    #[test]
    fn any_text_anywhere_is_judged_without_a_panic(
        texts in proptest::collection::vec(any::<String>(), 8),
        corners in any::<[Option<i64>; 4]>(),
        page in any::<Option<i64>>(),
    ) {
        let mut texts = texts.into_iter();
        let mut next = || texts.next().unwrap_or_default();
        let signer = Signer::new(SignFlow::unchecked(next()), SignMethod::from_wire(&next()), next())
            .phone(next()).rut(next()).device(next()).status_callback(next());
        let boxed = Signer::me(SignMethod::Fea, next()).at(Placement::Box(SignBox::from_parts(corners, page)));
        let builder = Flow::parallel().signer(signer).signer(boxed);
        prop_assert_eq!(builder.clone().build().is_err(), builder.check().has_errors());
    }

    #[test]
    fn a_box_from_the_top_is_the_same_box_from_the_bottom(
        left in 0i64..500, top in 0i64..700, width in 1i64..300, height in 1i64..100, page in 1i64..9,
    ) {
        let SignBox { x1, y1, x2, y2, .. } = SignBox::from_top_left(left, top, width, height, page, 842);
        prop_assert_eq!((x1, y2), (Some(left), Some(842 - top)));
        prop_assert_eq!((x2, y1), (Some(left + width), Some(842 - top - height)));
    }
}
