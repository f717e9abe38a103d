//! Section 2.2: exact bytes of the header, lives of tokens by the simulator's clock, the older dialect.

use std::time::Duration;

use integration_sandbox::Fault;
use integration_sandbox::geosite::{Endpoint, LoginKind};

use crate::support::*;

const PROBE: &str = "/cto/list?columns=fid&limit=1";

#[tokio::test]
async fn only_the_exact_header_opens_the_door() {
    let sandbox = start(200).await;
    let client = Client::of(&sandbox).await;
    let (token, refresh) = (&client.token, &client.refresh);
    for (header, status) in [
        (format!("Authorization: Digicade-Rest-API:{token}\r\n"), 200),
        (format!("Authorization: Digicade-Rest-API: {token}\r\n"), 401),
        (format!("Authorization: digicade-rest-api:{token}\r\n"), 401),
        (format!("Authorization: Bearer {token}\r\n"), 401),
        (format!("Authorization: {token}\r\n"), 401),
        (format!("Authorization: Digicade-Rest-API:{refresh}\r\n"), 401),
        (String::new(), 401),
    ] {
        let answer = send(client.geosite.base_url(), "GET", PROBE, &header, "").await;
        assert_eq!(answer.status, status, "{header}");
    }
    assert_eq!(log_in(&client.geosite, "hubsoft", "wrong").await.status, 401);
    assert_eq!(log_in(&client.geosite, "nobody", "").await.status, 401);
    let kinds: Vec<_> = client.geosite.logins().iter().map(|login| (login.kind, login.accepted)).collect();
    let password = LoginKind::Password;
    assert_eq!(kinds, [(password, true), (password, false), (password, false)]);
}

#[tokio::test]
async fn a_token_lives_thirty_minutes_and_a_refresh_token_thirty_days() {
    let sandbox = start(200).await;
    let geosite = sandbox.geosite();
    geosite.set_clock(1_700_000_000);
    let mut client = Client::of(&sandbox).await;
    geosite.advance_clock(Duration::from_secs(30 * 60 - 1));
    assert_eq!(client.get(PROBE).await.status, 200);
    geosite.advance_clock(Duration::from_secs(1));
    assert_eq!(client.get(PROBE).await.status, 401);

    let renew = async |token: &str| {
        let header = format!("Authorization: Digicade-Rest-API:{token}\r\n");
        send(geosite.base_url(), "POST", "/auth/refresh", &header, "").await
    };
    assert_eq!(renew(&client.token).await.status, 401, "the access token is no refresh token");
    let renewed = renew(&client.refresh).await.json();
    assert!(renewed["refreshToken"].is_string());
    client.token = renewed["token"].as_str().unwrap().to_owned();
    assert_eq!(client.get(PROBE).await.status, 200);

    geosite.configure(|settings| settings.renews_refresh_token = false);
    assert!(renew(&client.refresh).await.json().get("refreshToken").is_none());
    geosite.advance_clock(Duration::from_secs(30 * 24 * 60 * 60 - 30 * 60 - 1));
    assert_eq!(renew(&client.refresh).await.status, 200);
    geosite.advance_clock(Duration::from_secs(1));
    assert_eq!(renew(&client.refresh).await.status, 401);

    let with_body = format!("Authorization: Digicade-Rest-API:{}\r\n", client.refresh);
    assert_eq!(send(geosite.base_url(), "POST", "/auth/refresh", &with_body, "{}").await.status, 400);
}

#[tokio::test]
async fn tokens_end_when_they_are_revoked() {
    let sandbox = start(200).await;
    let client = Client::of(&sandbox).await;
    client.geosite.inject(Endpoint::List, Fault::RevokeCredential);
    assert_eq!(client.get(PROBE).await.status, 401);
    assert_eq!(client.get(PROBE).await.status, 401, "for good");
    let client = Client::of(&sandbox).await;
    client.geosite.revoke_tokens();
    assert_eq!(client.get(PROBE).await.status, 401);
}

#[tokio::test]
async fn the_older_dialect_is_off_and_leaves_no_password_in_the_log() {
    let sandbox = start(200).await;
    let geosite = sandbox.geosite();
    let path = format!("/auth/token?username={}&password={}", geosite.username(), geosite.password());
    let legacy = async || send(geosite.base_url(), "POST", &path, "", "").await;
    assert_eq!(legacy().await.status, 404);
    geosite.configure(|settings| settings.legacy_auth = true);
    let token = legacy().await.json()["token"].as_str().unwrap().to_owned();
    for (header, status) in [("Bearer ", 200), ("Digicade-Rest-API:", 401)] {
        let header = format!("Authorization: {header}{token}\r\n");
        assert_eq!(send(geosite.base_url(), "GET", PROBE, &header, "").await.status, status);
    }
    Client::of(&sandbox).await;
    let log = format!("{:?}", geosite.requests());
    assert!(log.contains("/auth/token") && !log.contains(geosite.password()), "{log}");
}
