//! The page in a real browser: nothing in the console, nothing beside the window, faults and states by clicking.
//!
//! Needs Chromium with its driver: `.ci/with-browser cargo test -p integration-sandbox --test browser -- --ignored`.
//! With `WRITE_SCREENSHOTS=1` the pictures of the guide are written anew to `docs/screenshots/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

#[path = "page/driver.rs"]
mod driver;
#[path = "page/support.rs"]
mod support;

use driver::Browser;
use integration_sandbox::Sandbox;
use support::*;

const DESK: (u32, u32) = (1280, 800);
const PHONE: (u32, u32) = (390, 844);

/// A sandbox in which something happened.
async fn busy() -> Sandbox {
    let sandbox = Sandbox::start().await.unwrap();
    let control = sandbox.control_url();
    for _ in 0..3 {
        assert_eq!(submit(control, "/fiscal/sample", "").await.status, 303);
    }
    // The annulment of one, a refusal, and a long word that could widen a phone's page.
    let headers = format!("Authorization: Bearer {}\r\n", sandbox.fiscal().token());
    let annulment = format!(
        r#"{{"rif":"{}","numerodocumento":"00-00000002","observacion":"Error"}}"#,
        sandbox.fiscal().rif()
    );
    post(sandbox.fiscal().base_url(), "/anulacion", &headers, &annulment).await;
    post(sandbox.fiscal().base_url(), "/facturacion", &headers, "{}").await;
    get(sandbox.geosite().base_url(), &format!("/api/{}?filter={}", "long".repeat(40), "word".repeat(60)))
        .await;
    get(sandbox.legale().base_url(), "/api/documents/").await;
    for form in [
        "plan=faults&spot=issue&fault=act_then_reset&when=once",
        "plan=faults&spot=annul&fault=act_then_late&when=probability&probability=0.2",
    ] {
        assert_eq!(submit(control, "/faults/fiscal", form).await.status, 303);
    }
    sandbox
}

/// Every page, with the name of its picture.
const PAGES: [(&str, &str); 6] = [
    ("/", "overview"),
    ("/requests/1", "request"),
    ("/fiscal", "fiscal"),
    ("/fiscal/documents/J-12345678-4/00-00000002", "document"),
    ("/faults", "faults"),
    ("/state", "state"),
];

#[tokio::test]
#[ignore = "needs a browser"]
async fn every_page_fits_and_is_quiet_in_light_and_dark_on_a_desk_and_a_phone() {
    let (sandbox, browser) = (busy().await, Browser::start().await);
    for (path, name) in PAGES {
        for (width, height) in [DESK, PHONE] {
            for scheme in ["light", "dark"] {
                browser.look(width, height, scheme).await;
                browser.open(&format!("{}{path}", sandbox.control_url())).await;
                browser.wait("document.getElementById('pulse').textContent === 'live' && !document.getElementById('pulse').hidden").await;
                let wide = browser
                    .value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                    .await;
                assert!(wide.as_i64().unwrap() <= 0, "{name} at {width}: {wide} too wide");
                let paper = browser.value("getComputedStyle(document.body).backgroundColor").await;
                assert_eq!(paper == "rgb(20, 23, 26)", scheme == "dark", "{name}: {paper}");
                keep(&browser, &format!("{name}-{}{}", if width < 500 { "phone-" } else { "" }, scheme))
                    .await;
                assert_eq!(browser.console().await, Vec::<String>::new(), "{name} {width} {scheme}");
            }
        }
    }
    browser.quit().await;
}

/// Pictures for the guide: some of them, and only if they are asked for.
async fn keep(browser: &Browser, name: &str) {
    let wanted = [
        "overview-light",
        "overview-dark",
        "overview-phone-light",
        "fiscal-light",
        "document-light",
        "faults-light",
        "faults-phone-dark",
        "state-light",
    ];
    if !wanted.contains(&name) || std::env::var_os("WRITE_SCREENSHOTS").is_none() {
        return;
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    let picture = browser.picture().await;
    assert!(picture.len() < 200 * 1024, "{name}: {} bytes", picture.len());
    std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn every_field_has_a_name_and_every_page_its_landmarks_and_enough_contrast() {
    let (sandbox, browser) = (busy().await, Browser::start().await);
    browser.look(DESK.0, DESK.1, "light").await;
    for (path, name) in PAGES {
        for scheme in ["light", "dark"] {
            browser.look(DESK.0, DESK.1, scheme).await;
            browser.open(&format!("{}{path}", sandbox.control_url())).await;
            let unnamed = "[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')].filter(\
                (one) => !one.hidden && !(one.labels && one.labels.length) && !one.getAttribute('aria-label') && !one.textContent.trim()).map((one) => one.outerHTML)";
            assert_eq!(browser.value(unnamed).await, serde_json::json!([]), "{name}");
            let landmarks =
                "['header', 'nav', 'main', 'footer', 'h1'].filter((one) => !document.querySelector(one))";
            assert_eq!(browser.value(landmarks).await, serde_json::json!([]), "{name}");
            assert_eq!(browser.value(FAINT).await, serde_json::json!([]), "{name} {scheme}");
        }
    }
    browser.quit().await;
}

/// Texts whose contrast with what is behind them is under 4.5 to 1 (WCAG 2.2, 1.4.3).
const FAINT: &str = r"(() => {
    const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const parts = (text) => text.match(/[\d.]+/g).map(Number);
    const behind = (one) => { for (let at = one; at; at = at.parentElement) { const c = parts(getComputedStyle(at).backgroundColor); if (c.length < 4 || c[3] > 0.99) return c.slice(0, 3); } return [255, 255, 255]; };
    const faint = [];
    for (const one of document.querySelectorAll('body *')) {
        const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !one.checkVisibility() || one.closest('.stamp, .annulled, .skip, .new')) continue;
        const [a, b] = [light(parts(getComputedStyle(one).color).slice(0, 3)), light(behind(one))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) faint.push(`${one.className || one.tagName} ${one.textContent.trim().slice(0, 20)} ${ratio.toFixed(2)}`);
    }
    return faint;
})()";

#[tokio::test]
#[ignore = "needs a browser"]
async fn a_fault_is_switched_on_by_clicking_and_the_next_request_shows_it() {
    let (sandbox, browser) = (Sandbox::start().await.unwrap(), Browser::start().await);
    browser.look(DESK.0, DESK.1, "light").await;
    browser.open(&format!("{}/faults", sandbox.control_url())).await;
    browser.choose("#faults-fault", "act_then_reset").await;
    browser.click("form[aria-labelledby='t-faults'] button.main").await;
    browser.wait("document.querySelector('#planned .mark').textContent === 'act_then_reset'").await;

    browser.open(sandbox.control_url()).await;
    browser.wait("!document.getElementById('pulse').hidden").await;
    // Somebody else's request arrives while the list is being looked at.
    issue(&sandbox, &invoice(&sandbox, "00000001")).await;
    browser.wait("document.querySelector('#live li .mark').textContent === 'act_then_reset'").await;
    browser.wait("document.querySelector('#live li .status').textContent === 'reset'").await;
    browser.click("#live li summary").await;
    browser
        .wait("document.querySelector('#live li .parts pre').textContent.includes('Comercial Ejemplo')")
        .await;
    let shown = browser.value("document.querySelector('#live').textContent").await.to_string();
    assert!(shown.contains("hidden") && !shown.contains(sandbox.fiscal().token()));

    browser.open(&format!("{}/faults", sandbox.control_url())).await;
    browser.wait("document.querySelector('#planned').textContent.includes('every service behaves')").await;
    assert_eq!(sandbox.fiscal().documents().len(), 1);
    // The connection that was reset is the client's, not the browser's.
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn a_planned_fault_is_seen_on_the_page_that_is_open_and_switched_off_there() {
    let (sandbox, browser) = (Sandbox::start().await.unwrap(), Browser::start().await);
    browser.look(PHONE.0, PHONE.1, "dark").await;
    browser.open(&format!("{}/faults?service=legale", sandbox.control_url())).await;
    browser.wait("!document.getElementById('pulse').hidden").await;
    let fault = r#"{"endpoint":"create","fault":"hang","always":true}"#;
    post(sandbox.control_url(), "/_sandbox/legale/faults", "", fault).await;
    browser.wait("document.querySelector('#planned .mark').textContent === 'hang'").await;
    browser.click("#planned td button").await;
    browser.wait("document.querySelector('#planned').textContent.includes('every service behaves')").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn an_issued_document_appears_without_reloading_and_opens() {
    let (sandbox, browser) = (Sandbox::start().await.unwrap(), Browser::start().await);
    browser.look(DESK.0, DESK.1, "light").await;
    browser.open(&format!("{}/fiscal", sandbox.control_url())).await;
    browser.wait("!document.getElementById('pulse').hidden").await;
    issue(&sandbox, &invoice(&sandbox, "00000001")).await;
    browser.wait("document.querySelector('#fiscal tbody a').textContent === '00-00000001'").await;
    browser.click("#fiscal tbody a").await;
    browser.wait("document.querySelector('.invoice .total .num').textContent === '23.2'").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.quit().await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn a_state_is_kept_forgotten_and_put_back_by_hand() {
    let (sandbox, browser) = (Sandbox::start().await.unwrap(), Browser::start().await);
    issue(&sandbox, &invoice(&sandbox, "00000001")).await;
    browser.look(DESK.0, DESK.1, "light").await;
    browser.open(&format!("{}/state", sandbox.control_url())).await;
    let link = browser.value("document.querySelector('a[download]').getAttribute('href')").await;
    let kept = get(sandbox.control_url(), link.as_str().unwrap()).await;
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    std::io::Write::write_all(&mut file, kept.body.as_bytes()).unwrap();

    browser.click("form[action='/state/reset'] button").await;
    browser.wait("document.querySelector('#counts').textContent.includes('0 documents')").await;
    browser.write("#file", file.path().to_str().unwrap()).await;
    browser.click("form[action='/state/import'] button").await;
    browser.wait("document.querySelector('#counts').textContent.includes('1 documents')").await;
    assert_eq!(sandbox.fiscal().documents().len(), 1);
    assert_eq!(browser.console().await, Vec::<String>::new());
    browser.quit().await;
}
