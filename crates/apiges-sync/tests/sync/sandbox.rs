//! The engine over HTTP on both sides: files through the REST client, pushes to the sandbox's portal, judged by the sandbox's own
//! evaluation of contract 4.3.

use apiges_sync::grant::WebGrant;
use apiges_sync::sync::*;
use apiges_sync::web::*;
use apiges_sync::{Assumptions, Client, Environment};
use integration_sandbox::websync::Row;
use integration_sandbox::{Fault, Sandbox};
use integration_store::Store;
use serde_json::json;

use super::world::client;

async fn engine(sandbox: &Sandbox, groups: &SharedGroups, store: &Store) -> WebSync {
    let firm = sandbox.apiges();
    let mut assumptions = Assumptions::default();
    assumptions.searches_are_complete = true;
    let rest = Client::builder()
        .environment(Environment::at(firm.base_url()).unwrap())
        .credentials(firm.username(), firm.password())
        .assumptions(assumptions)
        .build()
        .unwrap();
    let portal = sandbox.websync();
    let transport = HttpTransport::builder()
        .base_url(portal.base_url())
        .and_then(|builder| builder.tenant(portal.tenant()).credential(portal.token()).build())
        .unwrap();
    let builder = WebSync::builder().store(store).transport(transport).cases(RestCases::new(rest));
    builder.groups(groups.clone()).build().unwrap()
}

#[tokio::test]
async fn a_firm_and_its_portal_stay_in_step() {
    let sandbox = Sandbox::start().await.unwrap();
    let (firm, portal) = (sandbox.apiges(), sandbox.websync());
    firm.clear();
    let own = |code: &str| firm.add_contact(&json!({"codigo": code, "tipo": "C"})).unwrap();
    let (one, two) = (own("1"), own("2"));
    let add = |holder: i64, name: &str| {
        let fields = json!({"idCliente": holder, "denominacion": name, "numero": name, "clases": ["3", "25"],
            "referencia": format!("R-{name}"), "clave": "canary-clave", "situacion": ["1"], "fechaVencimiento": "20/06/2030"});
        firm.add_file(&fields).unwrap()
    };
    let (a, b, c) = (add(one, "A"), add(one, "B"), add(two, "C"));
    firm.set_graphic(a, "image/png", b"picture").unwrap();
    let groups = SharedGroups::default();
    let id = |id: i64| u64::try_from(id).unwrap();
    groups.change(|all| {
        all.join(id(one), client("1"), "G");
        all.join(id(two), client("2"), "G");
    });
    let name = |code: &str| integration_sandbox::websync::ContactRef::new("C", code);
    portal.set_group("G", &[name("1"), name("2")]);
    let store = Store::open("memory:").await.unwrap();
    let sync = engine(&sandbox, &groups, &store).await;
    let grant =
        WebGrant::new(client("1"), id(one)).show(FieldBox::Referencia1).group("G").activated().unwrap();
    sync.open(&grant, "ana").await.unwrap();
    sync.initial_load(&LoadOptions::new()).await.unwrap();
    assert_eq!(portal.differences(firm), []);
    assert_eq!(portal.view(&name("1")).unwrap()["cases"].as_array().unwrap().len(), 3);

    sync.open(&WebGrant::new(client("2"), id(two)).activated().unwrap(), "ana").await.unwrap();
    firm.edit_file(a, &json!({"denominacion": "A2"})).unwrap();
    firm.move_file(b, integration_sandbox::apiges::Role::Client, Some(two)).unwrap();
    firm.close_file(c).unwrap();
    portal.inject(Row::W30, Fault::ActThenReset);
    for case in [a, b, c] {
        sync.saved(id(case), apiges_sync::Timestamp::UNIX_EPOCH).await.unwrap();
    }
    while sync.numbers().await.unwrap().pending > 0 {
        sync.drain().await.unwrap();
    }
    assert_eq!(sync.dead().await.unwrap(), []);
    assert_eq!(portal.differences(firm), []);
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);

    sync.revoke(&client("1"), "ana").await.unwrap();
    while sync.numbers().await.unwrap().pending > 0 {
        sync.drain().await.unwrap();
    }
    assert_eq!(portal.differences(firm), []);
    assert!(!portal.holds("canary-clave") && !portal.recorded_contains("canary-clave"));
    assert_eq!(portal.excesses(), Vec::<serde_json::Value>::new());
}
