//! `apiges-sync`, layer B, by contract 2.2 and 3.8: reads and writes are retried after transport failure, 429, 500 and 502 to 504, always
//! under the same key; there is no login, so that a 401 is the end. The contract has neither the number of requests nor times: three
//! requests, as the matrix has it, 60 s as in 2.1, and the ten minutes of an upload are ours.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use apiges_sync::idempotency_table;
use apiges_sync::web::{
    Blob, CasePush, ContactRef, HttpTransport, HttpTransportBuilder, IdempotencyKey, PushOutcome,
    WebSyncTransport,
};
use bytes::Bytes;
use futures_core::Stream;
use integration_core::call::{Body, Idempotency};
use integration_core::{BoxFuture, Error, Outcome};
use serde_json::json;

use super::super::server::{Reply, Seen};
use super::super::subject::{Column, Doing, Op, Rules, Site, Subject, doing};

pub struct WebSync;

const CREDENTIAL: &str = "planted-websync-credential";
/// Contract O4: the key of version 42 of case 3992 of the tenant `demo`.
const KEY: &str = "589b1309c38fe443a34c5433b23a79133cf5b129c046275151a22d560c65f964";
/// Contract 4.6: two lines.
const DIGEST: &str = "62ebd2f3b39153aa92f85d182a1f0dc97fc8c878ee6ce6ddc7d1c07d80e73f04";
/// The contract has no limit of an answer: one that is set here, so that a flood has something to meet.
const LARGEST: usize = 4 * 1024 * 1024;
const UPLOAD: Duration = Duration::from_secs(600);
const SIZE: u64 = 3 * 1024 * 1024;
/// SHA-256 of so many bytes 7, by Python's hashlib.
const SHA256: &str = "fadc8b76fb9e2447c118e8b612cb1280904241214f6b9b5b7010f445bcc3d10b";

fn read() -> Rules {
    Rules { passing: &[429, 500, 502, 503, 504], cap: LARGEST, ..Rules::read() }
}

fn write() -> Rules {
    Rules { class: Idempotency::Keyed, lost: Outcome::Unknown, ..read() }
}

fn upload() -> Rules {
    Rules { deadline: UPLOAD, attempt: UPLOAD, ..write() }
}

impl Subject for WebSync {
    fn name(&self) -> &'static str {
        "apiges-sync (web)"
    }

    fn operations(&self) -> Vec<Op> {
        let is_digest = |seen: &Seen| seen.path() == "/websync/v1/demo/grants/C/4879/digest";
        let is_push = |seen: &Seen| seen.method == "PUT" && seen.path() == "/websync/v1/demo/cases/3992";
        let is_blob = |seen: &Seen| seen.path().strip_prefix("/websync/v1/demo/blobs/") == Some(SHA256);
        vec![
            Op::new(Column::Safe, "ask for a grant's digest", read(), is_digest).brings(DIGEST),
            Op::new(Column::Keyed, "push a case file", write(), is_push).keyed(KEY).brings("42"),
            // 2.2: the one write without a key, under the digest of its bytes.
            Op::new(Column::Upload, "store a blob", upload(), is_blob).brings("stored"),
        ]
    }

    fn table(&self) -> &'static [(&'static str, Idempotency)] {
        idempotency_table()
    }

    fn lacks(&self) -> &'static [(Column, &'static str)] {
        &[
            (Column::Once, "contract 2.2: every write may be repeated"),
            (
                Column::Pull,
                "the transport asks for one page of grants, withdrawals, messages or events a call; who goes on to the next is above it",
            ),
        ]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[CREDENTIAL]
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let (status, data) = match (seen.method.as_str(), seen.path()) {
            ("GET", _) => (200, json!({"count": 2, "digest": DIGEST})),
            (_, path) if path.contains("/blobs/") => {
                // W51: the head says what comes.
                let head = seen.head.to_lowercase();
                let told =
                    head.contains("content-length: 3145728") && head.contains("content-type: image/png");
                (if told { 201 } else { 400 }, json!({}))
            }
            _ => (200, json!({"outcome": "applied", "storedVersion": 42})),
        };
        let body = json!({"statusCode": status, "message": "", "data": data}).to_string();
        Reply { status, ..Reply::json(body) }
    }

    fn ready(&self, operation: &'static str, _: Column, site: Site) -> BoxFuture<'_, Doing> {
        let portal = HttpTransport::builder()
            .base_url(&site.url)
            .unwrap()
            .tenant("demo")
            .credential(CREDENTIAL)
            .body_limit(LARGEST)
            .clock(site.clock);
        let limited = |portal: HttpTransportBuilder, limit| portal.timeout(limit).upload_timeout(limit);
        let portal = site.limit.into_iter().fold(portal, limited).build().unwrap();
        Box::pin(async move {
            doing(move || {
                let portal = portal.clone();
                async move { act(&portal, operation).await }
            })
        })
    }
}

async fn act(portal: &HttpTransport, operation: &str) -> Result<String, Error> {
    Ok(match operation {
        "ask for a grant's digest" => {
            portal.digest(&ContactRef::client("4879").unwrap()).await?.digest.to_string()
        }
        "push a case file" => {
            let answer = portal.push(&push(), &IdempotencyKey::case("demo", 3992, 42)).await?;
            assert_eq!(answer.outcome, PushOutcome::Applied);
            answer.stored_version.to_string()
        }
        _ => portal.put_blob(&blob()).await.map(|()| "stored".to_owned())?,
    })
}

/// What was there is taken away from everybody: the smallest push that there is.
fn push() -> CasePush {
    serde_json::from_value(json!({
        "caseId": 3992, "version": 42, "sequence": 90131, "savedAt": "2026-03-02T10:15:04.120Z",
        "cause": "saved", "projections": [], "withdrawals": [],
    }))
    .unwrap()
}

fn blob() -> Blob {
    Blob {
        sha256: SHA256.parse().unwrap(),
        bytes: SIZE,
        media_type: "image/png".to_owned(),
        body: Body::stream(Some(SIZE), || async { Ok::<_, std::io::Error>(Sevens(SIZE)) }),
    }
}

/// So many bytes 7, in pieces.
struct Sevens(u64);

impl Stream for Sevens {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        static PIECE: [u8; 16 * 1024] = [7; 16 * 1024];
        let length = self.0.min(PIECE.len() as u64);
        self.0 -= length;
        Poll::Ready((length > 0).then(|| Ok(Bytes::from_static(&PIECE[..length as usize]))))
    }
}
