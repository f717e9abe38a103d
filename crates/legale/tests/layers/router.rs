use std::sync::Arc;

use legale::status::SignStatus;
use legale::webhook::{CallbackKind, CallbackToken, Detail, MemorySecrets, Receiver, SecretPlace, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Kept, Service, found};

async fn post(address: std::net::SocketAddr, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A refusal may come before the body was read.
    let _ = stream.read_to_string(&mut answer).await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_router_serves_both_routes() {
    let (secrets, service, kept) =
        (Arc::new(MemorySecrets::new()), Arc::new(Service::default()), Arc::new(Kept::default()));
    let token = CallbackToken::generate("r").unwrap();
    secrets.insert(&token);
    service.says("g-1", found(Detail::new(SignStatus::Signed)));
    let receiver = Receiver::builder()
        .url_secrets(secrets, SecretPlace::Path)
        .refetch(service)
        .handler(kept.clone())
        .build()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().nest("/legale", router(receiver));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let path = |route: &str| {
        token
            .put_into(format!("https://h/legale/{route}").parse().unwrap(), &SecretPlace::Path)
            .path()
            .to_owned()
    };
    let body = r#"{"GUID": "g-1", "sign_status": 1}"#;
    assert_eq!(post(address, &path("document"), body).await, "200");
    assert_eq!(post(address, &path("document"), body).await, "200");
    assert_eq!(post(address, &path("signer"), r#"{"GUID": "g-1"}"#).await, "200");
    assert_eq!(post(address, "/legale/document/r.wrong", body).await, "401");
    assert_eq!(post(address, "/legale/document", body).await, "401");
    assert_eq!(post(address, &path("document"), "[]").await, "400");
    let kinds: Vec<_> =
        kept.deliveries.lock().unwrap().iter().map(|delivery| delivery.callback.kind).collect();
    assert_eq!(kinds, [CallbackKind::Sign, CallbackKind::SignerStatus]);
    server.abort();
}
