//! The page's views of Legale, Sugester with BitFactura, GeoSite and the portal of Apiges, as the server makes them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

#[path = "page/support.rs"]
mod support;

use integration_sandbox::Sandbox;
use integration_sandbox::geosite::Feature;
use integration_sandbox::legale::SignerState;
use integration_sandbox::websync::{ContactRef, Row};
use integration_sandbox::{Fault, bitfactura, sugester};
use serde_json::json;
use support::*;

const VIEWS: [&str; 4] = ["/legale", "/crm", "/geosite", "/apiges"];
const EVIL: &str = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>";

async fn with_examples(views: &[&str]) -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    for view in views {
        let answer = submit(sandbox.control_url(), &format!("{view}/examples"), "").await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(*view)), "{}", answer.body);
    }
    sandbox
}

async fn page(sandbox: &Sandbox, path: &str) -> String {
    let page = get(sandbox.control_url(), path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    page.body
}

/// What stands between two texts.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap_or_else(|| panic!("no {from} in {page}"));
    rest.split_once(to).map_or(rest, |(inside, _)| inside)
}

#[tokio::test]
async fn every_view_is_whole_when_empty_and_when_full_and_needs_no_style_or_script_of_its_own() {
    let (empty, full) = (Sandbox::start().await.unwrap(), with_examples(&VIEWS).await);
    for sandbox in [&empty, &full] {
        for view in VIEWS {
            let page = page(sandbox, view).await;
            assert!(page.contains("</html>") && page.contains("aria-current=\"page\""), "{view}");
            for forbidden in ["<style", " style=", "onclick=", "<script>", "src=\"http", "href=\"http"] {
                assert!(!page.contains(forbidden), "{view} has {forbidden}");
            }
        }
    }
    for (view, told) in [
        ("/legale", "--example sign_in_order"),
        ("/crm", "--example keep_in_step"),
        ("/geosite", "--example pull_network"),
        ("/apiges", "--example open_to_client -- C/0001"),
    ] {
        assert!(page(&empty, view).await.contains(told), "{view}");
    }
}

#[tokio::test]
async fn what_programs_and_people_wrote_is_shown_as_text() {
    let sandbox = with_examples(&VIEWS).await;
    sandbox.legale().upload_in_web_app(EVIL, b"%PDF-1.4");
    let guid = sandbox.legale().documents()[0].guid.clone();
    sandbox.legale().reject(&guid, 1, EVIL).unwrap();
    sandbox.legale().post_callback("http://127.0.0.1:9/<b>", &[], json!({ "x": EVIL }));
    sandbox.sugester().add(sugester::Table::Clients, &json!({ "name": EVIL })).unwrap();
    sandbox.bitfactura().add(bitfactura::Table::Clients, &json!({ "name": EVIL, "city": EVIL })).unwrap();
    let cto = sandbox.geosite().fids(Feature::Cto)[0];
    sandbox.geosite().edit(Feature::Cto, cto, json!({ "nome": EVIL, "codigo": EVIL })).unwrap();
    let seen = sandbox.websync().view(&ContactRef::new("C", "0002")).unwrap();
    let file = seen["cases"][0]["caseId"].as_i64().unwrap();
    sandbox.apiges().edit_file(file, &json!({ "denominacion": EVIL })).unwrap();
    let chosen = format!("/geosite?fid={cto}");
    for path in
        ["/legale", "/crm", "/geosite", chosen.as_str(), "/apiges?viewer=C%2F0002", "/apiges?viewer=%3Cimg"]
    {
        let page = page(&sandbox, path).await;
        for raw in ["<script>alert", "<img", "/<b>"] {
            assert!(!page.contains(raw), "{path} has {raw}");
        }
    }
    for path in ["/legale", "/crm", chosen.as_str(), "/apiges?viewer=C%2F0002"] {
        assert!(page(&sandbox, path).await.contains("&#60;script&#62;alert(1)"), "{path}");
    }
}

#[tokio::test]
async fn who_comes_too_early_is_refused_by_the_simulator_and_the_page_says_so() {
    let sandbox = with_examples(&["/legale"]).await;
    let (legale, control) = (sandbox.legale(), sandbox.control_url());
    let ordered = legale.documents().into_iter().find(|one| one.flow_type.as_deref() == Some("priority"));
    let guid = ordered.unwrap().guid;
    let click = async |number: usize, step: &str, form: &str| {
        let path = format!("/legale/documents/{guid}/{number}/{step}");
        let answer = submit(control, &path, form).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        answer.header("location").unwrap().to_owned()
    };
    let states = || legale.document(&guid).unwrap().signers.iter().map(|one| one.state).collect::<Vec<_>>();

    let back = click(2, "sign", "").await;
    let refused = page(&sandbox, back.split('#').next().unwrap()).await;
    let alert = between(&refused, "role=\"alert\">", "</p>");
    assert_eq!(alert, "Refused: a signer before him has not signed yet.");
    assert_eq!(refused.matches("role=\"alert\"").count(), 1);
    assert_eq!(states(), [SignerState::Pending; 3]);

    assert_eq!(click(1, "open", "comment=").await, format!("/legale#d-{guid}"));
    click(1, "sign", "").await;
    click(2, "sign", "").await;
    assert_eq!(states(), [SignerState::Signed, SignerState::Signed, SignerState::Pending]);
    let back = click(1, "sign", "").await;
    assert!(page(&sandbox, back.split('#').next().unwrap()).await.contains("signed or rejected already"));
    click(3, "reject", "comment=No+estoy+de+acuerdo").await;
    // Each step is reported, and the end of the flow; the page itself is the receiver.
    legale.wait_for_callbacks(5).await;
    let page = page(&sandbox, "/legale").await;
    assert!(page.contains("No estoy de acuerdo") && page.contains(">rejected<"), "{page}");
    let callbacks = between(&page, "id=\"callbacks\"", "</section>");
    assert_eq!(callbacks.matches("<span class=\"badge on\">200</span>").count(), 5, "{callbacks}");
    assert!(callbacks.contains("received by the sandbox") && callbacks.contains("signer_status"));
    // Nobody who has acted has buttons, and nobody at all once a flow has ended.
    assert!(!page.contains(&format!("/legale/documents/{guid}/")));
    let other = legale.documents().into_iter().find(|one| one.guid != guid).unwrap().guid;
    for path in ["nobody/1/sign".to_owned(), format!("{other}/9/sign"), format!("{guid}/1/burn")] {
        assert_eq!(submit(control, &format!("/legale/documents/{path}"), "").await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn a_callback_shows_what_its_receiver_said_and_hides_its_key() {
    let sandbox = Sandbox::start().await.unwrap();
    let url = format!("{}/nowhere?key=topsecret-77", sandbox.control_url());
    let headers = format!("Legale-Api-Key: {}\r\n", sandbox.legale().api_key());
    let body = json!({
        "file_name": "A_B.pdf", "description": "Con clave", "file": "JVBERi0xLjQK", "callback_url": url,
        "callback_key": "topsecret-77",
    });
    let base = sandbox.legale().base_url();
    assert_eq!(post(base, "/api/document/create", &headers, &body.to_string()).await.status, 200);
    let guid = sandbox.legale().documents()[0].guid.clone();
    let flow = json!({
        "signer_list": [{ "sign_flow": "other", "sign_method": "no_sms", "email": "a@example.com", "skip_email": true }],
        "shared_list": [],
    });
    assert_eq!(post(base, &format!("/api/sign/start/{guid}"), &headers, &flow.to_string()).await.status, 200);
    sandbox.legale().configure(|settings| settings.callback_attempts = 1);
    sandbox.legale().sign(&guid, 1).unwrap();
    sandbox.legale().wait_for_callbacks(1).await;
    let page = page(&sandbox, "/legale").await;
    let callbacks = between(&page, "id=\"callbacks\"", "</section>");
    assert!(callbacks.contains("<span class=\"badge bad\">404</span>"), "{callbacks}");
    assert!(callbacks.contains("Con clave") && !page.contains("topsecret-77"), "{callbacks}");
}

#[tokio::test]
async fn who_is_on_one_side_only_and_what_differs_is_marked() {
    let sandbox = Sandbox::start().await.unwrap();
    let (crm, books) = (sandbox.sugester(), sandbox.bitfactura());
    let add = |name: &str, city: &str| {
        books
            .add(bitfactura::Table::Clients, &json!({ "name": name, "city": city, "email": "A@X.CL" }))
            .unwrap()
    };
    let (same, other, _alone) = (add("Igual", "Lima"), add("Otra", "Cusco"), add("Solo factura", ""));
    for (id, name, city) in [(same, "Igual", "Lima"), (other, "Otra", "Arequipa")] {
        let ids = json!({ "bitfactura": id.to_string(), "shop": "7" });
        // BitFactura makes everybody a company and a buyer of whom nothing else is said.
        let fields = json!({
            "name": name, "city": city, "email": "a@x.cl", "kind": "buyer", "company": true, "external_ids": ids,
        });
        crm.add(sugester::Table::Clients, &fields).unwrap();
    }
    crm.add(sugester::Table::Clients, &json!({ "name": "Solo CRM" })).unwrap();
    let page = page(&sandbox, "/crm").await;
    let clients = between(&page, "id=\"clients\"", "</section>");
    let row = |name: &str| {
        let rows = clients.split("<tr").filter(|row| row.contains(name)).collect::<Vec<_>>();
        assert_eq!(rows.len(), 1, "{name}: {clients}");
        rows[0].to_owned()
    };
    assert!(row("Igual").contains(">the same<"), "{}", row("Igual"));
    let differs = row("Otra");
    assert!(
        differs.contains("<code>city</code> <span class=\"here\">Cusco</span>")
            && differs.contains("<span class=\"there\">Arequipa</span>")
    );
    assert_eq!(differs.matches("class=\"here\"").count(), 1, "{differs}");
    assert!(row("Solo factura").contains("only in BitFactura"));
    assert!(row("Solo CRM").contains("only in Sugester"));
    assert!(clients.contains("3 of 4 differ"), "{clients}");
}

#[tokio::test]
async fn the_examples_show_every_kind_of_difference() {
    let sandbox = with_examples(&["/crm"]).await;
    let page = page(&sandbox, "/crm").await;
    // Six there, five here of the same people, three linked, one of these moved, and one who is here only.
    let clients = between(&page, "id=\"clients\"", "</section>");
    assert_eq!(clients.matches("not linked; the tax number is the same").count(), 2, "{clients}");
    assert_eq!(clients.matches("only in BitFactura").count(), 1);
    assert_eq!(clients.matches("only in Sugester").count(), 1);
    assert_eq!(clients.matches(">the same<").count(), 2);
    assert!(clients.contains("<span class=\"there\">Talca</span>"));
    // Four invoices, two with a deal, one of which has a wrong price.
    let invoices = between(&page, "id=\"invoices\"", "</section>");
    assert_eq!(invoices.matches("only in BitFactura").count(), 2, "{invoices}");
    assert_eq!(invoices.matches("<code>price</code>").count(), 1, "{invoices}");
    assert_eq!(invoices.matches(">the same<").count(), 1, "{invoices}");
    assert!(invoices.contains("3 of 4 differ"), "{invoices}");
}

#[tokio::test]
async fn a_deleted_element_is_gone_from_map_and_list_and_an_edited_one_is_changed() {
    let sandbox = Sandbox::start().await.unwrap();
    let (geosite, control) = (sandbox.geosite(), sandbox.control_url());
    let boxes = geosite.fids(Feature::Cto);
    let (gone, kept) = (boxes[0], boxes[1]);
    let here = page(&sandbox, "/geosite").await;
    let link = format!("href=\"/geosite?fid={gone}#element\"");
    assert_eq!(here.matches(&link).count(), 2, "once on the map, once in the list");
    let answer = submit(control, &format!("/geosite/cto/{gone}/delete"), "").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/geosite")));
    assert!(!geosite.fids(Feature::Cto).contains(&gone));
    assert!(!page(&sandbox, "/geosite").await.contains(&link));
    assert!(page(&sandbox, &format!("/geosite?fid={gone}")).await.contains("There is no element"));
    assert_eq!(submit(control, &format!("/geosite/cto/{gone}/delete"), "").await.status, 404);
    assert_eq!(submit(control, &format!("/geosite/cto/{gone}/edit"), "nome=x").await.status, 404);
    assert_eq!(submit(control, &format!("/geosite/nothing/{kept}/delete"), "").await.status, 400);

    let before = geosite.element(Feature::Cto, kept).unwrap();
    let name = geosite.columns(Feature::Cto).into_iter().find(|name| name.eq_ignore_ascii_case("nome"));
    let name = name.unwrap();
    let form = format!("{name}=Caixa+nova&fid={kept}");
    assert_eq!(submit(control, &format!("/geosite/cto/{kept}/edit"), &form).await.status, 303);
    let after = geosite.element(Feature::Cto, kept).unwrap();
    assert_eq!(after[&name], "Caixa nova");
    let changed = after.as_object().unwrap().iter().filter(|(key, value)| before[*key] != **value);
    assert_eq!(changed.count(), 2, "the name and the time of change: {before} {after}");
    assert!(page(&sandbox, "/geosite").await.contains("Caixa nova"));
}

#[tokio::test]
async fn free_ports_follow_the_customers() {
    let sandbox = Sandbox::start().await.unwrap();
    let geosite = sandbox.geosite();
    let label = |page: &str, fid: u32| {
        let link = format!("href=\"/geosite?fid={fid}#element\" aria-label=\"");
        between(page, &link, "\"").split_once(": ").map(|(_, told)| told.to_owned())
    };
    let cto = geosite.fids(Feature::Cto)[0];
    let told = label(&page(&sandbox, "/geosite").await, cto).unwrap();
    let (free, total) = told.strip_suffix(" ports free").unwrap().split_once(" of ").unwrap();
    assert!(free.parse::<u32>().unwrap() < total.parse().unwrap(), "{told}");
    // Without customers every port is free; a box without a splitter has none.
    geosite.set_count(Feature::Cliente, 0);
    let bare = geosite.insert(Feature::Cto, json!({ "latitude": -22.72, "longitude": -47.64 })).unwrap();
    let page = page(&sandbox, "/geosite").await;
    assert_eq!(label(&page, cto), Some(format!("{total} of {total} ports free")));
    assert_eq!(label(&page, bare), None);
    let legend = between(&page, "class=\"legend\"", "</ul>");
    assert!(legend.contains("no port free <small>0</small>"), "{legend}");
}

#[tokio::test]
async fn each_viewer_has_what_he_sees_beside_what_is_hidden_and_why() {
    let sandbox = with_examples(&["/apiges"]).await;
    let portal = sandbox.websync();
    assert_eq!(portal.differences(sandbox.apiges()), []);
    assert_eq!(portal.grants().len(), 3);
    assert!(portal.missing_pictures().is_empty());

    let narrow = page(&sandbox, "/apiges?viewer=C%2F0001").await;
    let reason = "C/0001 excludes modality";
    assert!(narrow.contains(reason) && narrow.contains("the box is not ticked for C/0001"), "{narrow}");
    assert!(narrow.contains("all as the contract has it") && narrow.contains("nothing of this file"));
    // A hidden field stands on its side only, and a ticked one on the other.
    let case = portal.view(&ContactRef::new("C", "0001")).unwrap()["cases"][0].clone();
    let id = case["caseId"].as_i64().unwrap();
    let own = between(&narrow, &format!("id=\"case-{id}\""), "</article>");
    let (sees, hidden) = own.split_once("Hidden, and why").unwrap();
    for name in ["referencia2", "referencia3", "clave"] {
        assert!(!sees.contains(&format!("<dt>{name}</dt>")), "{name}: {sees}");
        let filed = sandbox.apiges().file(id, integration_sandbox::apiges::Lang::Es).unwrap();
        let there = filed[name].as_str().is_some_and(|text| !text.is_empty());
        assert_eq!(hidden.contains(&format!("<dt>{name}</dt>")), there, "{name}: {hidden}");
    }
    let wide = page(&sandbox, "/apiges?viewer=C%2F0002").await;
    assert!(!wide.contains("is not ticked") && wide.contains("<dt>clave</dt>"), "{wide}");

    // Somebody else's file moves, and a grant is changed behind the synchronisation's back.
    let first = portal.view(&ContactRef::new("C", "0002")).unwrap()["cases"][0]["caseId"].as_i64().unwrap();
    sandbox.apiges().move_file(first, integration_sandbox::apiges::Role::Client, None).unwrap();
    let moved = page(&sandbox, "/apiges?viewer=C%2F0002").await;
    let own = between(&moved, &format!("id=\"case-{first}\""), "</article>");
    assert!(own.contains("he sees this file and must not"), "{own}");
    assert!(moved.contains("1 not as the contract has it"));
}

#[tokio::test]
async fn a_suspended_grant_says_so_and_a_lost_push_is_told() {
    let sandbox = Sandbox::start().await.unwrap();
    sandbox.websync().inject(Row::W30, Fault::ResetBeforeActing);
    submit(sandbox.control_url(), "/apiges/examples", "").await;
    let lost = sandbox.websync().differences(sandbox.apiges());
    assert!(
        !lost.is_empty() && lost.iter().all(|one| one.field == "case" && one.case == lost[0].case),
        "{lost:?}"
    );
    let viewer = lost[0].viewer.replace('/', "%2F");
    let told = page(&sandbox, &format!("/apiges?viewer={viewer}")).await;
    assert!(told.contains("he may see this file, and it is not on the portal"), "{told}");

    let portal = sandbox.websync();
    let headers = format!(
        "Authorization: Bearer {}\r\nX-Websync-Protocol: 1\r\nIdempotency-Key: s1\r\n",
        portal.token()
    );
    let path = format!("/websync/v1/{}/grants/C/0002/suspend", portal.tenant());
    assert_eq!(post(portal.base_url(), &path, &headers, r#"{"version":1}"#).await.status, 200);
    let suspended = page(&sandbox, "/apiges?viewer=C%2F0002").await;
    assert!(suspended.contains("the grant of C/0002 is suspended") && suspended.contains("sees 0 of"));
}
