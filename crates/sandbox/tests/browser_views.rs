//! The views of Legale, Sugester with BitFactura, GeoSite and the portal in a real browser: each looked at on a desk
//! and a phone, in light and dark, and used by clicking.
//!
//! Needs Chromium with its driver, as `browser.rs`. With `WRITE_SCREENSHOTS=1` the pictures of the guide are written anew,
//! with `WRITE_SCREENSHOTS=all` every one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

#[path = "page/checks.rs"]
mod checks;
#[allow(dead_code, reason = "shared with browser.rs")]
#[path = "page/driver.rs"]
mod driver;
#[path = "page/support.rs"]
mod support;

use std::time::{Duration, Instant};

use driver::Browser;
use integration_sandbox::Sandbox;
use integration_sandbox::geosite::Feature;
use integration_sandbox::legale::{FlowState, SignerState};
use support::*;

const DESK: (u32, u32) = (1280, 800);
const PHONE: (u32, u32) = (390, 844);
const KEPT: [&str; 6] =
    ["legale-light", "crm-light", "geosite-light", "apiges-light", "legale-phone-dark", "geosite-phone-dark"];

/// A sandbox with the examples of every view, a refusal, a signature, and words that could widen a phone's page.
async fn busy() -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    for view in ["legale", "crm", "apiges"] {
        let answer = submit(sandbox.control_url(), &format!("/{view}/examples"), "").await;
        assert_eq!(answer.status, 303, "{view}");
    }
    let legale = sandbox.legale();
    legale.upload_in_web_app(&format!("{}.pdf", "Anexo".repeat(30)), b"%PDF-1.4");
    let guid = ordered(&sandbox);
    legale.open(&guid, 1).unwrap();
    legale.sign(&guid, 1).unwrap();
    legale.wait_for_callbacks(2).await;
    sandbox
}

/// The example whose signers follow one another.
fn ordered(sandbox: &Sandbox) -> String {
    let documents = sandbox.legale().documents().into_iter();
    let mut ordered = documents.filter(|one| one.flow_type.as_deref() == Some("priority"));
    ordered.next().unwrap().guid
}

async fn keep(browser: &Browser, name: &str) {
    let all = match std::env::var("WRITE_SCREENSHOTS").as_deref() {
        Ok("all") => true,
        Ok(_) => false,
        Err(_) => return,
    };
    if !all && !KEPT.contains(&name) {
        return;
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    let picture = browser.picture().await;
    assert!(picture.len() < 200 * 1024, "{name}: {} bytes", picture.len());
    std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
}

/// Waits until an expression is true, through any number of pages: a form that is sent replaces the page, and with it
/// whatever waits inside.
async fn until(browser: &Browser, condition: &str) {
    let look = format!("(() => {{ try {{ return !!({condition}); }} catch {{ return false; }} }})()");
    let end = Instant::now() + Duration::from_secs(15);
    while browser.value(&look).await != true {
        let text = async || browser.value("document.body.innerText").await;
        assert!(Instant::now() < end, "never came: {condition}\n{}", text().await);
    }
}

const LIVE: &str =
    "document.getElementById('pulse').textContent === 'live' && !document.getElementById('pulse').hidden";

#[tokio::test]
#[ignore = "needs a browser"]
async fn every_view_fits_is_quiet_and_can_be_read_in_light_and_dark_on_a_desk_and_a_phone() {
    let (full, empty, browser) = (busy().await, Sandbox::start().await.unwrap(), Browser::start().await);
    empty.geosite().set_count(Feature::Cto, 0);
    let guid = ordered(&full);
    let refused = format!("/legale?document={guid}&signer=3&refused=not_his_turn#d-{guid}");
    let element = format!("/geosite?fid={}#element", full.geosite().fids(Feature::Cto)[3]);
    let customer = format!("/geosite?fid={}", full.geosite().fids(Feature::Cliente)[0]);
    for (sandbox, path, name) in [
        (&full, "/legale", "legale"),
        (&full, refused.as_str(), "legale-refused"),
        (&full, "/crm", "crm"),
        (&full, "/geosite", "geosite"),
        (&full, element.as_str(), "geosite-element"),
        (&full, customer.as_str(), "geosite-customer"),
        (&full, "/apiges", "apiges"),
        (&full, "/apiges?viewer=C%2F0002", "apiges-wide"),
        (&empty, "/legale", "legale-empty"),
        (&empty, "/crm", "crm-empty"),
        (&empty, "/apiges", "apiges-empty"),
    ] {
        for (width, height) in [DESK, PHONE] {
            for scheme in ["light", "dark"] {
                browser.look(width, height, scheme).await;
                browser.open(&format!("{}{path}", sandbox.control_url())).await;
                until(&browser, LIVE).await;
                let seen = format!("{name}-{}{scheme}", if width < 500 { "phone-" } else { "" });
                keep(&browser, &seen).await;
                checks::sound(&browser, &seen).await;
            }
        }
    }
    browser.quit().await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn a_signing_is_walked_through_by_clicking_and_who_comes_too_early_is_refused() {
    let (sandbox, browser) = (Sandbox::start().await.unwrap(), Browser::start().await);
    browser.look(DESK.0, DESK.1, "light").await;
    browser.open(&format!("{}/legale", sandbox.control_url())).await;
    browser.click("form[action='/legale/examples'] button").await;
    until(&browser, "document.querySelectorAll('.paper').length === 2").await;
    let guid = ordered(&sandbox);
    let signer = |number: usize| format!("[id='d-{guid}'] .signers li:nth-child({number})");
    let badge = |number: usize, state: &str| {
        let guid = &guid;
        format!(
            "document.querySelector('[id=\"d-{guid}\"] .signers li:nth-child({number}) .badge').textContent === '{state}'"
        )
    };

    browser.click(&format!("{} form[action$='/2/sign'] button", signer(2))).await;
    until(
        &browser,
        "document.querySelector('[role=alert]').textContent.includes('before him has not signed yet')",
    )
    .await;
    let states = || sandbox.legale().document(&guid).unwrap().signers.into_iter().map(|one| one.state);
    assert!(states().all(|state| state == SignerState::Pending));

    browser.click(&format!("{} form[action$='/1/open'] button", signer(1))).await;
    until(&browser, &badge(1, "opened")).await;
    for number in 1..=3 {
        browser.click(&format!("{} form[action$='/{number}/sign'] button", signer(number))).await;
        until(&browser, &badge(number, "signed")).await;
    }
    let ended = format!("document.querySelector('[id=\"d-{guid}\"] header .badge').textContent === 'signed'");
    until(&browser, &ended).await;
    assert_eq!(sandbox.legale().document(&guid).unwrap().state, FlowState::Signed);
    // Opened, signed three times, ended: the callbacks come in while the page is open.
    until(&browser, "document.querySelectorAll('#callbacks ~ .sheet .badge.on').length === 5").await;
    assert_eq!(browser.value("document.querySelectorAll('[role=alert]').length").await, 0);
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn a_box_is_chosen_on_the_map_renamed_and_deleted() {
    let (sandbox, browser) = (Sandbox::start().await.unwrap(), Browser::start().await);
    browser.look(DESK.0, DESK.1, "light").await;
    browser.open(&format!("{}/geosite", sandbox.control_url())).await;
    let fid = sandbox.geosite().fids(Feature::Cto)[2];
    browser.click(&format!(".map a[href^='/geosite?fid={fid}#'] :is(circle, polygon)")).await;
    until(&browser, "!!document.getElementById('element')").await;
    let columns = sandbox.geosite().columns(Feature::Cto);
    let name = columns.iter().find(|name| name.eq_ignore_ascii_case("nome")).unwrap();
    browser.write(&format!("#element input[name='{name}']"), " renomeada").await;
    browser.click("#element form[action$='/edit'] button").await;
    until(&browser, "document.querySelector('#boxes ~ .sheet').textContent.includes('renomeada')").await;
    let renamed = sandbox.geosite().element(Feature::Cto, fid).unwrap();
    assert!(renamed[name].as_str().unwrap().ends_with(" renomeada"), "{renamed}");

    browser.click("#element form[action$='/delete'] button").await;
    until(&browser, &format!("document.querySelectorAll('a[href^=\"/geosite?fid={fid}#\"]').length === 0"))
        .await;
    assert!(!sandbox.geosite().fids(Feature::Cto).contains(&fid));
    // Somebody else deletes another one while the map is open.
    let other = sandbox.geosite().fids(Feature::Cto)[0];
    until(&browser, LIVE).await;
    submit(sandbox.control_url(), &format!("/geosite/cto/{other}/delete"), "").await;
    until(&browser, &format!("document.querySelectorAll('a[href^=\"/geosite?fid={other}#\"]').length === 0"))
        .await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn examples_are_put_in_by_clicking_and_viewers_are_chosen() {
    let (sandbox, browser) = (Sandbox::start().await.unwrap(), Browser::start().await);
    browser.look(PHONE.0, PHONE.1, "dark").await;
    browser.open(&format!("{}/crm", sandbox.control_url())).await;
    browser.click("form[action='/crm/examples'] button").await;
    until(&browser, "document.querySelectorAll('.sides tr.differs').length > 3").await;
    browser.open(&format!("{}/apiges", sandbox.control_url())).await;
    browser.click("form[action='/apiges/examples'] button").await;
    until(&browser, "document.querySelectorAll('.case').length > 3").await;
    browser.click(".tabs a[href='/apiges?viewer=C%2F0002']").await;
    until(&browser, "document.querySelector('.grants').textContent.startsWith('C/0002')").await;
    assert_eq!(sandbox.websync().differences(sandbox.apiges()), []);
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.quit().await;
}
