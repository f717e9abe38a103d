//! Callbacks of the second service, in every form that the contract permits, proven by asking that service (contract 4.6).

use std::sync::{Arc, Mutex};

use legale::flow::Flow;
use legale::status::SignStatus;
use legale::webhook::{
    CallbackKind, CallbackToken, Delivery, FolderSink, Handler, MemorySecrets, Receiver, Route, SecretPlace,
};
use legale::{BoxFuture, DocumentId, Error};
use serde_json::{Map, Value, json};

use super::service::{Paper, Stranger};
use super::tongue::Spoken;
use super::{ANA, BEA, FILE, Visit, outsider, upload};

#[derive(Default)]
struct Kept(Mutex<Vec<Delivery>>);

impl Handler for Kept {
    fn handle(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Error>> {
        self.0.lock().unwrap().push(delivery);
        Box::pin(std::future::ready(Ok(())))
    }
}

struct Desk {
    receiver: Receiver,
    kept: Arc<Kept>,
    url: String,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new(visit: &Visit) -> Self {
        let (kept, folder) = (Arc::new(Kept::default()), tempfile::tempdir().unwrap());
        let (secrets, token) = (Arc::new(MemorySecrets::new()), CallbackToken::generate("order-1").unwrap());
        secrets.insert(&token);
        let receiver = Receiver::builder()
            .handler(kept.clone())
            .sink(Arc::new(FolderSink::new(folder.path())))
            .url_secrets(secrets, SecretPlace::Path)
            .refetch(Arc::new(visit.client.clone()))
            .build()
            .unwrap();
        let url = "http://127.0.0.1:1/legale/document".parse().unwrap();
        let url = token.put_into(url, &SecretPlace::Path).to_string();
        Self { receiver, kept, url, _folder: folder }
    }

    async fn post(&self, body: &Value) -> u16 {
        let parts = http::Request::post(&self.url).body(()).unwrap().into_parts().0;
        let body = body.to_string().into();
        self.receiver.receive_bytes(Route::Document, &parts, body).await.status().as_u16()
    }

    /// Accepted, handled once, and acknowledged when it comes again.
    async fn handled(&self, body: &Value) -> Delivery {
        assert_eq!(self.post(body).await, 200, "{body}");
        assert_eq!(self.post(body).await, 200, "{body}");
        let mut kept = self.kept.0.lock().unwrap();
        assert_eq!(kept.len(), 1, "{body}");
        kept.pop().unwrap()
    }
}

fn named(stranger: &Stranger, paper: &Paper) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert(stranger.tongue.guid_key("callback").into(), paper.guid.clone().into());
    body.insert("file_name".into(), paper.sent["file_name"].clone());
    stranger.tongue.extra(&mut body);
    body
}

fn told(stranger: &Stranger, body: &mut Map<String, Value>) {
    let tongue = &stranger.tongue;
    body.insert("folder".into(), "root/Contratos/X".into());
    let mut meta = Map::new();
    meta.insert("note".into(), "n".into());
    tongue.nothing(&mut meta, "date");
    tongue.nothing(&mut meta, "document_type");
    body.insert("meta_data".into(), meta.into());
}

/// `attached_files[{file_name, base64}]`; 3.9 lets the list have four names and the content two.
fn attached(stranger: &Stranger, paper: &Paper, body: &mut Map<String, Value>) {
    let tongue = &stranger.tongue;
    let name = ["attached_files", "attached_file_list", "attached_file", "attach_file_list"]
        [tongue.pick("callback attachments", 4)];
    let content = ["base64", "file"][tongue.pick("callback attachment", 2)];
    let files = paper.attachments.iter().map(|(file_name, bytes)| {
        json!({"file_name": file_name, content: tongue.base64("callback attachment", bytes)})
    });
    tongue.list(body, name, files.collect());
}

fn sign(stranger: &Stranger, paper: &Paper) -> Value {
    let tongue = &stranger.tongue;
    let mut body = named(stranger, paper);
    body.insert("sign_status".into(), tongue.number("callback", paper.status));
    tongue.optional(&mut body, "comment", paper.comment.clone().map(Value::from));
    let file = (paper.status == 1).then(|| json!(tongue.base64("callback", &paper.signed_file())));
    tongue.optional(&mut body, "base64", file);
    told(stranger, &mut body);
    attached(stranger, paper, &mut body);
    body.into()
}

async fn signed(visit: &Visit, desk: &Desk, guid: &DocumentId) {
    let paper = visit.paper(guid);
    let delivery = desk.handled(&sign(&visit.stranger, &paper)).await;
    assert_eq!(delivery.callback.kind, CallbackKind::Sign);
    assert_eq!(delivery.callback.document.as_ref(), Some(guid));
    assert_eq!(delivery.callback.sign_status, Some(SignStatus::Signed));
    assert_eq!(delivery.callback.meta_data.note.as_deref(), Some("n"));
    assert!(delivery.is_confirmed && !delivery.needs_download());
    let file = delivery.file.as_ref().unwrap().location.clone().unwrap();
    assert_eq!(std::fs::read(file).unwrap(), paper.signed_file());
    let attachments: Vec<_> = delivery
        .attachments
        .iter()
        .map(|one| std::fs::read(one.location.as_ref().unwrap()).unwrap())
        .collect();
    assert_eq!(attachments, [b"a;b".to_vec(), FILE.to_vec()]);
}

/// The automation's callbacks: no file in them (trap 16).
async fn automated(visit: &Visit, desk: &Desk, guid: &DocumentId) {
    let stranger = &visit.stranger;
    let mut body = named(stranger, &visit.paper(guid));
    body.insert("data_to_api".into(), json!({"pedido": "77", "total": "1.5"}));
    told(stranger, &mut body);
    let mut launch = body.clone();
    launch.insert("sign_url".into(), "https://sign.legale.io/session/1".into());
    body.insert("sign_status".into(), stranger.tongue.number("automated", 1));
    let delivery = desk.handled(&body.into()).await;
    assert_eq!(delivery.callback.sign_status, Some(SignStatus::Signed));
    assert!(delivery.is_confirmed && delivery.needs_download());
    assert_eq!(delivery.callback.data_to_api["pedido"], "77");
    let delivery = desk.handled(&launch.into()).await;
    assert_eq!(delivery.callback.kind, CallbackKind::DataToApiLaunch);
    assert!(delivery.is_late, "the flow has ended");
}

async fn rejected(visit: &Visit, desk: &Desk, guid: &DocumentId) {
    let delivery = desk.handled(&sign(&visit.stranger, &visit.paper(guid))).await;
    assert_eq!(delivery.callback.sign_status, Some(SignStatus::Rejected));
    assert_eq!(delivery.callback.comment.as_deref(), Some("falta el anexo"));
    assert!(delivery.is_confirmed && delivery.file.is_none() && !delivery.needs_download());
}

/// A body that says what the service does not.
async fn forged(visit: &Visit, desk: &Desk, guid: &DocumentId) {
    let mut paper = visit.paper(guid);
    paper.status = 1;
    assert_eq!(desk.post(&sign(&visit.stranger, &paper)).await, 200);
    assert!(desk.kept.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn callbacks_are_understood_and_proven_in_every_tongue() {
    let spoken = Arc::new(Spoken::default());
    for seed in 0..super::SEEDS {
        println!("seed {seed}");
        let visit = Visit::new(seed, &spoken).await;
        let desk = Desk::new(&visit);
        let flow = || Flow::parallel().signer(outsider(ANA)).signer(outsider(BEA)).build().unwrap();
        let mut guids = Vec::new();
        for _ in 0..3 {
            let guid =
                visit.client.create(&upload().callback_url(desk.url.clone())).await.unwrap().document.guid;
            visit.client.start(&guid, &flow()).await.unwrap();
            guids.push(guid);
        }
        visit.stranger.sign(guids[0].as_str(), 0);
        visit.stranger.sign(guids[0].as_str(), 1);
        visit.stranger.reject(guids[1].as_str(), "falta el anexo");
        signed(&visit, &desk, &guids[0]).await;
        automated(&visit, &desk, &guids[0]).await;
        rejected(&visit, &desk, &guids[1]).await;
        forged(&visit, &desk, &guids[2]).await;
        assert_eq!(visit.stranger.house().wrongs, Vec::<String>::new());
    }
}
