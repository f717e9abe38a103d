//! The test of a connection, and plain http within the network (trap 4).

use apiges_sync::{Catalogue, Client, Comparison, Environment, ErrorClass, ErrorExt, Finding};
use serde_json::json;

use crate::support::{bare, failed, house, whole};

#[tokio::test]
async fn everything_that_works_is_told() {
    let house = house().await;
    let filters = json!([{"codigo": "EQ", "descripcion": "Igual"}, {"codigo": "BT", "descripcion": "Entre"}]);
    house.answer("GET", "/filtros", 200, whole(filters)).await;
    house.answer("GET", "/modalidades", 200, whole(json!([{"codigo": "M"}]))).await;
    let findings = house.client.check([Catalogue::Modalities]).await;
    assert!(findings.iter().all(|finding| !finding.is_fatal()), "{findings:?}");
    assert!(matches!(
        findings.as_slice(),
        [
            Finding::LoggedIn,
            Finding::CatalogueRead { catalogue: Catalogue::Filters, entries: 2 },
            Finding::CatalogueRead { catalogue: Catalogue::Modalities, entries: 1 },
            Finding::SearchesOfUnknownCompleteness,
        ]
    ));
    assert!(house.all().await.iter().all(|request| request.method.as_str() == "GET"));
}

#[tokio::test]
async fn one_failure_hides_no_other() {
    let house = house().await;
    house.answer("GET", "/filtros", 200, whole(json!([{"codigo": "EQ"}]))).await;
    house.answer("GET", "/modalidades", 403, failed(403, "Sin permiso")).await;
    house.answer("GET", "/paises", 200, whole(json!([{"descripcion": "sin código"}]))).await;
    let findings = house.client.check([Catalogue::Modalities, Catalogue::Countries]).await;
    let fatal: Vec<_> = findings.iter().filter(|finding| finding.is_fatal()).collect();
    let [Finding::ComparisonMissing(missing), one, other] = fatal.as_slice() else { panic!("{findings:?}") };
    assert_eq!(missing, &Comparison::Between);
    let class = |finding: &Finding| match finding {
        Finding::CatalogueUnread { catalogue, error } => (*catalogue, error.class()),
        other => panic!("{other:?}"),
    };
    assert_eq!(class(one), (Catalogue::Modalities, ErrorClass::Forbidden));
    assert_eq!(class(other), (Catalogue::Countries, ErrorClass::UnexpectedShape));
}

#[tokio::test]
async fn a_login_that_fails_is_all_there_is() {
    let house = bare(|builder| builder).await;
    house.answer("GET", "/login", 401, failed(401, "No")).await;
    let findings = house.client.check(Catalogue::ALL).await;
    assert!(
        matches!(findings.as_slice(), [Finding::LoginFailed(error)] if error.class() == ErrorClass::AuthRejected)
    );
    assert_eq!(house.all().await.len(), 1);
}

/// Nothing is sent anywhere: the transport refuses.
#[tokio::test]
async fn plain_http_within_the_network_is_a_finding() {
    let client = Client::builder()
        .environment(Environment::private_network("http://192.168.1.20:8080", &[]).unwrap())
        .credentials("u", "password")
        .transport(Refusing)
        .build()
        .unwrap();
    let findings = client.check([]).await;
    let [Finding::Unencrypted { host }, Finding::LoginFailed(_)] = findings.as_slice() else {
        panic!("{findings:?}")
    };
    assert_eq!(host, "192.168.1.20");
    assert!(!findings[0].is_fatal() && findings[1].is_fatal());
}

#[derive(Debug)]
struct Refusing;

impl apiges_sync::Transport for Refusing {
    fn send(
        &self,
        _request: http::Request<apiges_sync::Body>,
    ) -> apiges_sync::BoxFuture<
        '_,
        Result<http::Response<apiges_sync::BodyStream>, apiges_sync::TransportError>,
    > {
        let error = apiges_sync::TransportError::new(apiges_sync::TransportErrorKind::Connect, "refused");
        Box::pin(std::future::ready(Err(error)))
    }
}
