//! The check of the connection between both systems (contract 2.2, 4.1 and 4.8; issue 5 row 5).

use integration_sandbox::{Fault, Sandbox, bitfactura, sugester as crm};
use serde_json::json;
use sugester::bitfactura::Login;
use sugester::connection::{ConnectionCheck, ConnectionReport, Finding, Part, System};
use sugester::{BaseUrl, LinkTokenError, ManualClock, Multipass, Severity};

struct Both {
    sandbox: Sandbox,
    crm: sugester::Client,
    billing: sugester::bitfactura::Client,
}

/// Both simulators, with this token at Sugester and this account said of its address.
async fn both(token: Option<&str>, account: Option<&str>) -> Both {
    let sandbox = Sandbox::start().await.unwrap();
    let (crm, billing) = (sandbox.sugester(), sandbox.bitfactura());
    let token = token.unwrap_or(crm.token()).to_owned();
    crm.add_token(&token);
    let builder = sugester::Client::builder()
        .base_url(BaseUrl::parse(crm.base_url()).unwrap())
        .token(token.parse().unwrap())
        .clock(ManualClock::new());
    let crm = account
        .into_iter()
        .fold(builder, |builder, name| builder.account(name.parse().unwrap()))
        .build()
        .unwrap();
    let billing = sugester::bitfactura::Client::builder()
        .base_url(BaseUrl::parse(billing.base_url()).unwrap())
        .account("acme".parse().unwrap())
        .token(billing.token().parse().unwrap())
        .clock(ManualClock::new())
        .build()
        .unwrap();
    Both { sandbox, crm, billing }
}

impl Both {
    fn check(&self) -> ConnectionCheck<'_> {
        ConnectionCheck::new(&self.crm, &self.billing)
    }

    fn login(&self) -> &'static str {
        self.sandbox.bitfactura().login()
    }

    fn log_in(&self, password: &str) -> Login {
        let host = BaseUrl::parse(self.sandbox.bitfactura().base_url()).unwrap();
        Login::new(self.login(), password).integration_token("partner").host(host).clock(ManualClock::new())
    }

    /// Whether nothing was written in either system.
    fn is_untouched(&self) -> bool {
        let reads = |method: &str, path: &str| method == "GET" || path == "/login.json";
        self.sandbox.sugester().requests().iter().all(|request| reads(&request.method, &request.path))
            && self
                .sandbox
                .bitfactura()
                .requests()
                .iter()
                .all(|request| reads(&request.method, &request.path))
    }
}

fn found(report: &ConnectionReport) -> Vec<(Part, Severity)> {
    let all = report.findings().iter();
    all.map(|finding| {
        assert!(!finding.advice().is_empty() && !finding.to_string().is_empty(), "{finding:?}");
        (finding.part(), finding.severity())
    })
    .collect()
}

#[tokio::test]
async fn a_sound_connection_has_no_findings() {
    let both = both(None, Some("ACME")).await;
    let report = both.check().sugester_login(both.login()).bitfactura_login(both.login()).run().await;
    assert!(report.is_ready() && report.can_synchronise() && report.findings().is_empty(), "{report}");
    assert_eq!(report.sound().collect::<Vec<_>>(), Part::ALL);
    let report = both
        .check()
        .sugester_login(both.login())
        .log_in(both.log_in(both.sandbox.bitfactura().password()))
        .run()
        .await;
    assert!(report.findings().is_empty(), "{report}");
    assert!(both.is_untouched());
}

#[tokio::test]
async fn a_token_that_may_not_link_is_found_before_anything_is_sent_with_it() {
    let plain = both(Some("plain-secret"), Some("acme")).await;
    let report = plain.check().run().await;
    assert!(matches!(report.findings()[0], Finding::Token(LinkTokenError::TokenWithoutPrefix)));
    assert!(
        report.findings()[0].advice().contains("manual_prefix")
            && !report.to_string().contains("plain-secret")
    );
    assert!(!report.is_ready() && !report.can_synchronise());
    assert_eq!(report.skipped().collect::<Vec<_>>(), [Part::Sugester]);
    assert!(plain.sandbox.sugester().requests().is_empty());
    // The same without an account to compare with.
    let unnamed = both(Some("plain-secret"), None).await;
    assert!(matches!(
        unnamed.check().run().await.findings()[0],
        Finding::Token(LinkTokenError::TokenWithoutPrefix)
    ));
    let other = both(None, None).await;
    let report = other.check().account("other".parse().unwrap()).run().await;
    assert!(matches!(report.findings()[0], Finding::Token(LinkTokenError::TokenPrefixMismatch { .. })));
    assert!(other.sandbox.sugester().requests().is_empty());
    let report = other.check().sugester_login("a").bitfactura_login("a").run().await;
    assert_eq!(found(&report), [(Part::Token, Severity::Warning)]);
    assert!(matches!(report.findings()[0], Finding::AccountUnknown) && report.is_ready());
}

#[tokio::test]
async fn each_direction_is_asked_and_says_why_it_fails() {
    let both = both(None, Some("acme")).await;
    let (crm, billing) = (both.sandbox.sugester(), both.sandbox.bitfactura());
    let check = async || both.check().sugester_login("a").bitfactura_login("a").run().await;
    crm.revoke_token(crm.token());
    billing.revoke_token(billing.token());
    let report = check().await;
    let refused = |at: usize, which: System| matches!(&report.findings()[at], Finding::TokenRefused { system, .. } if *system == which);
    assert!(refused(0, System::Sugester) && refused(1, System::BitFactura), "{report}");
    assert_eq!(report.skipped().collect::<Vec<_>>(), [Part::Webhooks]);
    for secret in [crm.token(), billing.token()] {
        let part = secret.rsplit_once('/').unwrap().0;
        assert!(!format!("{report} {report:?}").contains(part));
    }
    crm.reset();
    billing.reset();
    crm.configure(|settings| settings.wire.no_account = true);
    billing.inject(bitfactura::Endpoint::Clients, Fault::Html);
    let report = check().await;
    assert!(
        matches!(report.findings()[0], Finding::NoSuchAccount { system: System::Sugester, .. }),
        "{report}"
    );
    assert!(
        matches!(report.findings()[1], Finding::Unreachable { system: System::BitFactura, .. }),
        "{report}"
    );
    assert!(!report.can_synchronise());
    crm.reset();
    crm.refuse_connections().await.unwrap();
    let report = check().await;
    assert!(
        matches!(report.findings()[0], Finding::Unreachable { system: System::Sugester, .. }),
        "{report}"
    );
    assert_eq!(report.findings().len(), 1);
    crm.accept_connections().await.unwrap();
    crm.inject(crm::Endpoint::Clients, Fault::Html);
    assert!(matches!(check().await.findings()[0], Finding::Unreachable { system: System::Sugester, .. }));
    assert!(both.is_untouched());
}

#[tokio::test]
async fn webhooks_that_are_off_are_found() {
    let both = both(None, Some("acme")).await;
    let billing = both.sandbox.bitfactura();
    let row = |active: bool| json!({"kind": "client:update", "url": "https://hooks.example.com/c", "api_token": "x", "active": active});
    billing.add(bitfactura::Table::Webhooks, &row(true)).unwrap();
    let off = billing.add(bitfactura::Table::Webhooks, &row(false)).unwrap();
    let check = async || both.check().sugester_login("a").bitfactura_login("a").run().await;
    let report = check().await;
    let said = matches!(&report.findings()[0], Finding::WebhookOff { id, kind } if *id == off && kind == "client:update");
    assert!(said && report.is_ready() && report.findings().len() == 1, "{report}");
    billing.inject(bitfactura::Endpoint::Webhooks, Fault::Html);
    let report = check().await;
    assert!(matches!(report.findings()[0], Finding::WebhooksUnseen(_)) && report.can_synchronise());
}

#[tokio::test]
async fn logins_are_compared_and_the_difference_is_told() {
    let both = both(None, Some("acme")).await;
    let said = async |bitfactura: &str, sugester: &str| {
        let report = both.check().bitfactura_login(bitfactura).sugester_login(sugester).run().await;
        let logins = report.findings().iter().map(|finding| match finding {
            Finding::Logins(said) => *said,
            other => panic!("{other:?}"),
        });
        (logins.collect::<Vec<_>>(), report.is_ready(), report.can_synchronise())
    };
    assert_eq!(said("a@b.c", "a@b.c").await, (vec![], true, true));
    assert_eq!(said("a@b.c", "A@b.c ").await, (vec![Multipass::MatchIgnoringCase], true, true));
    assert_eq!(said("a@b.c", "d@b.c").await, (vec![Multipass::Mismatch], false, true));
    assert_eq!(said("a@b.c", "").await, (vec![Multipass::Unknown], true, true));
    assert_eq!(found(&both.check().run().await), [(Part::Logins, Severity::Warning)]);
    let wrong = both.check().sugester_login("a").log_in(both.log_in("planted-password")).run().await;
    assert!(
        matches!(wrong.findings()[0], Finding::LoginFailed(_))
            && !format!("{wrong} {wrong:?}").contains("planted")
    );
    let other = both
        .check()
        .sugester_login("someone")
        .log_in(both.log_in(both.sandbox.bitfactura().password()))
        .run()
        .await;
    assert!(matches!(other.findings()[0], Finding::Logins(Multipass::Mismatch)));
    both.sandbox.bitfactura().configure(|settings| settings.multipass_fails = true);
    let failed = both
        .check()
        .sugester_login(both.login())
        .log_in(both.log_in(both.sandbox.bitfactura().password()))
        .run()
        .await;
    assert!(matches!(failed.findings()[0], Finding::Logins(Multipass::Mismatch)), "{failed}");
    assert!(both.is_untouched());
}
