//! The page as the server makes it: escaped, without credentials, guarded, and whole without a script.
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
use support::*;

const VIEWS: [&str; 5] = ["/", "/fiscal", "/faults", "/faults?service=legale", "/state"];

#[tokio::test]
async fn every_view_is_a_whole_page_under_a_strict_policy() {
    let sandbox = Sandbox::start().await.unwrap();
    for view in VIEWS {
        let page = get(sandbox.control_url(), view).await;
        assert_eq!(page.status, 200, "{view}: {}", page.body);
        assert!(page.body.contains("</html>") && page.body.contains("<main"), "{view}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        // Nothing that the policy would refuse: no script or style of its own, nothing from elsewhere.
        for forbidden in ["<style", " style=", "onclick=", "<script>", "src=\"http", "href=\"http"] {
            assert!(!page.body.contains(forbidden), "{view} has {forbidden}");
        }
    }
    for (asset, kind) in
        [("/page.js", "text/javascript"), ("/page.css", "text/css"), ("/icon.svg", "image/svg+xml")]
    {
        let asset = get(sandbox.control_url(), asset).await;
        assert!(asset.status == 200 && asset.header("content-type").unwrap().starts_with(kind));
    }
    assert_eq!(get(sandbox.control_url(), "/nowhere").await.status, 404);
}

#[tokio::test]
async fn what_clients_send_is_shown_as_text() {
    let sandbox = Sandbox::start().await.unwrap();
    let evil = r#"<script>alert(1)</script>\"><img src=x onerror=alert(2)>"#;
    let body = invoice(&sandbox, "00000001").replace("Comercial Ejemplo", evil);
    assert_eq!(issue(&sandbox, &body).await.status, 200);
    post_raw(
        sandbox.fiscal().base_url(),
        "/x%3Cb%3E?a=%3Cscript%3E",
        "User-Agent: <b>agent</b>\r\n",
        "<script>",
    )
    .await;
    let control = sandbox.control_url();
    for path in
        ["/", "/fiscal", "/fiscal/documents/J-12345678-4/00-00000001", "/requests/1", "/requests/2/parts"]
    {
        let page = get(control, path).await;
        assert_eq!(page.status, 200, "{path}");
        for raw in ["<script>alert", "<img", "<b>agent", "<i>", "</script>\\"] {
            assert!(!page.body.contains(raw), "{path} has {raw}");
        }
    }
    let page = get(control, "/fiscal").await.body;
    assert!(page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)"), "{page}");
}

#[tokio::test]
async fn no_credential_is_in_the_list_or_in_a_request() {
    let sandbox = Sandbox::start().await.unwrap();
    let (legale, sugester, geosite) = (sandbox.legale(), sandbox.sugester(), sandbox.geosite());
    issue(&sandbox, &invoice(&sandbox, "00000001")).await;
    let login = format!(r#"{{"email":"{}","password":"{}"}}"#, legale.email(), legale.password());
    let logged_in = post(legale.base_url(), "/api/token", "", &login).await;
    let escaped = sugester.token().replace('/', "%2F");
    get(sugester.base_url(), &format!("/app/clients.json?api_token={escaped}")).await;
    let body = format!(r#"{{"api_token":"{}","client":{{"name":"Ana"}}}}"#, sugester.token());
    post(sugester.base_url(), "/app/clients.json", "", &body).await;
    let login = format!(r#"{{"username":"{}","password":"{}"}}"#, geosite.username(), geosite.password());
    let granted = post(geosite.base_url(), "/auth/generatetoken", "", &login).await;
    let own = "password=a-password-of-my-own&grant_type=password";
    post(sandbox.hubsoft().base_url(), "/oauth/token", "", own).await;
    // A token that the sandbox has never seen.
    let foreign = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjp7InJpZiI6IngifX0.c2lnbmF0dXJlLW9mLW5vYm9keQ";
    post(
        legale.base_url(),
        "/nowhere",
        &format!("Legale-Api-Key: {foreign}\r\n"),
        &format!("[\"{foreign}\"]"),
    )
    .await;

    let mut secrets = vec![
        sandbox.fiscal().token().to_owned(),
        legale.password().to_owned(),
        sugester.token().to_owned(),
        escaped,
        geosite.password().to_owned(),
        "a-password-of-my-own".to_owned(),
        foreign.to_owned(),
    ];
    for answer in [&logged_in.body, &granted.body] {
        let json: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
        let token = json["token"].as_str().or_else(|| json["data"]["token"].as_str());
        secrets.extend(token.map(str::to_owned));
    }
    assert!(secrets.iter().all(|secret| secret.len() > 8), "{secrets:?}");
    let control = sandbox.control_url();
    let list = get(control, "/").await.body;
    let list = list.split_once("id=\"live\"").unwrap().1.to_owned();
    let mut seen = vec![list, events(control, "/live?since=0", 7).await];
    for number in 1..=7 {
        let page = get(control, &format!("/requests/{number}")).await;
        assert_eq!(page.status, 200, "{number}");
        seen.extend([page.body, get(control, &format!("/requests/{number}/parts")).await.body]);
    }
    for secret in secrets {
        assert!(!seen.iter().any(|text| text.contains(&secret)), "{secret} is shown");
    }
    // And what is no credential is.
    assert!(seen.iter().any(|text| text.contains("grant_type=password")));
    assert!(seen.iter().any(|text| text.contains("Ana")));
}

#[tokio::test]
async fn pages_from_elsewhere_can_neither_read_nor_change_anything() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = sandbox.control_url();
    for path in ["/", "/fiscal", "/live", "/_sandbox/fiscal/state", "/page.js"] {
        let page = ask(control, "GET", path, "Host: rebound.example:7800\r\n", "").await;
        assert_eq!(page.status, 421, "{path}");
        assert!(!page.body.contains(sandbox.fiscal().token()));
    }
    let host = format!("Host: {}\r\n", control.trim_start_matches("http://"));
    for foreign in ["Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        for path in ["/faults/fiscal", "/_sandbox/fiscal/faults", "/_sandbox/reset", "/fiscal/sample"] {
            let body = r#"{"endpoint":"issue","fault":"hang"}"#;
            assert_eq!(
                ask(control, "POST", path, &format!("{host}{foreign}"), body).await.status,
                403,
                "{path}"
            );
        }
    }
    assert!(sandbox.fiscal().documents().is_empty());
    let state = get(control, "/_sandbox/fiscal/state").await.body;
    assert!(state.contains(r#""faults":[]"#), "{state}");
    let origin = format!("{host}Origin: {control}\r\nSec-Fetch-Site: same-origin\r\n");
    assert_eq!(ask(control, "POST", "/fiscal/sample", &origin, "").await.status, 303);
    assert_eq!(sandbox.fiscal().documents().len(), 1);
}

#[tokio::test]
async fn a_fault_is_switched_on_strikes_and_is_switched_off_by_forms_alone() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = sandbox.control_url();
    let form = "plan=faults&spot=issue&fault=act_then_reset&when=once&parameters=";
    let answer = submit(control, "/faults/fiscal", form).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/faults?service=fiscal")));
    assert!(get(control, "/faults").await.body.contains("act_then_reset"));
    assert_eq!(submit(control, "/fiscal/sample", "").await.status, 303);
    let list = get(control, "/").await.body;
    let list = list.split_once("id=\"live\"").unwrap().1;
    assert!(list.contains(r#"<span class="mark">act_then_reset</span>"#), "{list}");
    assert!(list.contains("reset") && list.contains("/facturacion"));
    assert_eq!(sandbox.fiscal().documents().len(), 1);

    let slow = "plan=faults&spot=annul&fault=act_then_late&when=probability&probability=0.5&parameters=%7B%22delay_ms%22%3A7%7D";
    assert_eq!(submit(control, "/faults/fiscal", slow).await.status, 303);
    let page = get(control, "/faults").await.body;
    assert!(page.contains("with probability 0.5") && page.contains("delay_ms&#34;:7"), "{page}");
    let off = page.split("action=\"").find(|part| part.contains("/off\"")).unwrap();
    let off = off.split_once('"').unwrap().0;
    assert_eq!(submit(control, off, "").await.status, 303);
    assert!(!get(control, "/faults").await.body.contains("with probability 0.5"));
}

#[tokio::test]
async fn every_fault_of_every_service_can_be_planned_by_its_form() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = sandbox.control_url();
    for service in ["fiscal", "legale", "sugester", "bitfactura", "geosite", "hubsoft", "apiges", "websync"] {
        let page = get(control, &format!("/faults?service={service}")).await.body;
        let forms: Vec<&str> = page.split("name=\"plan\" value=\"").skip(1).collect();
        assert!(!forms.is_empty(), "{service}");
        for form in forms {
            let plan = form.split_once('"').unwrap().0;
            let spot = form.split_once("<option>").unwrap().1.split_once('<').unwrap().0;
            let faults: Vec<&str> =
                form.split("<option value=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
            for fault in faults.iter().filter(|fault| **fault != "refuse_connections") {
                let body =
                    format!("plan={plan}&spot={}&fault={fault}&when=times&times=2", spot.replace('/', "%2F"));
                let answer = submit(control, &format!("/faults/{service}"), &body).await;
                assert_eq!(answer.status, 303, "{service} {plan} {fault}: {}", answer.body);
            }
        }
    }
    assert!(get(control, "/faults").await.body.matches("Switch off</button>").count() > 200);
    assert_eq!(submit(control, "/faults/clear", "").await.status, 303);
    assert!(get(control, "/faults").await.body.contains("every service behaves"));
}

#[tokio::test]
async fn a_port_that_refuses_is_told_and_opened_again() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = sandbox.control_url();
    let form = "plan=faults&spot=token&fault=refuse_connections&when=once";
    assert_eq!(submit(control, "/faults/hubsoft", form).await.status, 303);
    assert!(get(control, "/faults").await.body.contains("refuses connections"));
    assert!(tokio::net::TcpStream::connect(host_of(sandbox.hubsoft().base_url())).await.is_err());
    assert_eq!(submit(control, "/faults/hubsoft/open", "").await.status, 303);
    assert!(!get(control, "/faults").await.body.contains("refuses connections"));
    assert!(tokio::net::TcpStream::connect(host_of(sandbox.hubsoft().base_url())).await.is_ok());
}

#[tokio::test]
async fn a_mistake_in_a_form_is_told_in_words() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = sandbox.control_url();
    for (path, form, told) in [
        ("/faults/fiscal", "plan=faults&spot=print&fault=hang", "print"),
        ("/faults/fiscal", "plan=faults&spot=issue&fault=burn", "no such fault"),
        ("/faults/fiscal", "plan=faults&spot=issue&fault=hang&parameters=%7B", "JSON object"),
        ("/faults/fiscal", "plan=faults&spot=issue&fault=hang&when=times&times=x", "times"),
        ("/faults/fiscal", "plan=twists&spot=issue&fault=stall", "no such"),
        ("/faults/nobody", "plan=faults&spot=issue&fault=hang", "no such service"),
    ] {
        let answer = submit(control, path, form).await;
        assert!(answer.status == 400 && answer.body.contains(told), "{form}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_document_shows_its_totals_by_rate_and_that_it_was_annulled() {
    let sandbox = Sandbox::start().await.unwrap();
    submit(sandbox.control_url(), "/fiscal/sample", "").await;
    let path = "/fiscal/documents/J-12345678-4/00-00000001";
    let page = get(sandbox.control_url(), path).await.body;
    // The contract's example (section 3.5): tokens as they were sent, never recomputed.
    for shown in [
        "00-00000001",
        "00000001",
        "IVA general 16.00 %",
        "sobre 20.00",
        "3.20",
        "IVA reducido 8.00 %",
        "0.80",
        "IGTF 3.00 %",
        "1.32",
        "45.32",
        "Efectivo USD",
        "exento",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("ANULADO") && !page.contains("IVA adicional"));
    let body = format!(
        r#"{{"rif":"{}","numerodocumento":"00-00000001","observacion":"error"}}"#,
        sandbox.fiscal().rif()
    );
    let headers = format!("Authorization: Bearer {}\r\n", sandbox.fiscal().token());
    assert_eq!(post(sandbox.fiscal().base_url(), "/anulacion", &headers, &body).await.status, 200);
    assert!(get(sandbox.control_url(), path).await.body.contains("ANULADO"));
    let list = get(sandbox.control_url(), "/fiscal").await.body;
    assert!(list.contains("annulled") && list.contains("00-00000002") && list.contains("00000002"), "{list}");
    assert_eq!(get(sandbox.control_url(), "/fiscal/documents/J-12345678-4/00-00000009").await.status, 404);
}

#[tokio::test]
async fn requests_are_told_as_they_come_and_as_they_end() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut stream = Events::open(sandbox.control_url(), "/live?since=0").await;
    sandbox
        .fiscal()
        .inject(integration_sandbox::fiscal::Endpoint::Issue, integration_sandbox::Fault::ActThenHold);
    let (url, token) = (sandbox.fiscal().base_url().to_owned(), sandbox.fiscal().token().to_owned());
    let body = invoice(&sandbox, "00000001");
    let issuing = tokio::spawn(async move {
        post(&url, "/facturacion", &format!("Authorization: Bearer {token}\r\n"), &body).await
    });
    let begun = stream.until("event: changed").await;
    assert!(begun.contains("event: request") && begun.contains("pending"), "{begun}");
    sandbox.fiscal().wait_for_requests(1).await;
    sandbox.fiscal().release_held();
    assert_eq!(issuing.await.unwrap().status, 200);
    let ended = stream.until("data: fiscal").await;
    assert!(ended.contains("act_then_hold") && ended.contains(">200<"), "{ended}");
}
