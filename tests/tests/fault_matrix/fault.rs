//! The faults: rows 1 to 13 and 18 of the matrix, each as what the server does and as what that means. What a call must end in is not
//! said here but in `expect`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use integration_core::clock::Clock;

use super::clock::Virtual;
use super::server::{Deed, Making, Reply, Then};

/// How often the fault is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    Once,
    Always,
}

/// How long the service asks to wait, as it says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Of use: so long.
    Wait(Duration),
    /// Not of use: negative, garbage.
    Nonsense,
}

/// What a fault means, as far as anybody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nobody listens.
    NobodyListens,
    /// The connection ends before a byte of the request was read.
    ResetOnAccept,
    /// No whole answer came, and none will. `in_body`: its head came.
    Lost {
        in_body: bool,
    },
    /// Silence. `in_body`: after the head of the answer.
    Silence {
        in_body: bool,
    },
    /// A byte a second of a body.
    Drip,
    /// An answer with this status.
    Status(u16, Option<Hint>),
    /// A success that is none.
    Unreadable,
    TooLarge,
    Redirect,
    Unauthorized,
    /// Odd, but whole and right.
    Harmless,
}

#[derive(Clone)]
pub struct Fault {
    pub row: u8,
    pub name: String,
    pub times: Times,
    pub effect: Effect,
    /// Whether the server acts on what it has read.
    pub acts: bool,
    making: Option<Making>,
}

impl Fault {
    fn new(row: u8, name: impl Into<String>, times: Times, effect: Effect) -> Self {
        Self { row, name: name.into(), times, effect, acts: false, making: None }
    }

    fn making(mut self, making: impl Fn(&Reply, &Virtual) -> Deed + Send + Sync + 'static) -> Self {
        self.making = Some(Arc::new(making));
        self
    }

    /// Reads all of the request, acts or not, and says what `says` makes of the healthy answer.
    fn reads(
        mut self,
        acts: bool,
        then: Then,
        says: impl Fn(&Reply) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.acts = acts;
        self.making(move |reply, _| Deed::Read { acts, says: says(reply), then })
    }

    pub fn deed(&self) -> Making {
        self.making.clone().unwrap_or_else(|| Arc::new(|_, _| Deed::ResetOnAccept))
    }

    /// What it is called in tables.
    pub fn title(&self) -> String {
        match self.times {
            Times::Once => format!("{}, once", self.name),
            Times::Always => format!("{}, always", self.name),
        }
    }
}

/// Every row that is one call against one server.
pub fn faults(elsewhere: SocketAddr) -> Vec<Fault> {
    let both = [Times::Once, Times::Always];
    let mut all = vec![Fault::new(1, "nobody listens", Times::Always, Effect::NobodyListens)];
    for times in both {
        all.push(Fault::new(2, "RST on accept", times, Effect::ResetOnAccept));
        all.push(
            Fault::new(3, "RST after the head of the request", times, Effect::Lost { in_body: false })
                .making(|_, _| Deed::ResetAfterHead),
        );
        all.extend(lost(times));
    }
    all.extend(silent());
    all.extend(waits());
    for times in both {
        all.extend([500, 502, 503, 504].map(|status| {
            Fault::new(9, format!("{status}"), times, Effect::Status(status, None)).reads(
                true,
                Then::Keep,
                move |_| status_only(status, ""),
            )
        }));
    }
    all.extend(unreadable());
    all.extend(large());
    all.extend(redirects(elsewhere));
    all.extend(odd());
    all.push(
        Fault::new(18, "401", Times::Once, Effect::Unauthorized)
            .reads(false, Then::Keep, |_| status_only(401, "")),
    );
    all
}

fn status_only(status: u16, headers: &str) -> Vec<u8> {
    Reply { status, content_type: "text/plain", body: b"said so".to_vec() }.bytes(headers)
}

fn half(reply: &Reply) -> &[u8] {
    &reply.body[..reply.body.len() / 2]
}

fn lost(times: Times) -> Vec<Fault> {
    let lost = |row, name, in_body| Fault::new(row, name, times, Effect::Lost { in_body });
    let announced = |reply: &Reply| {
        let short = Reply { body: half(reply).to_vec(), ..reply.clone() };
        let bytes = String::from_utf8(short.bytes("")).unwrap();
        let (from, to) = (format!("content-length: {}", short.body.len()), reply.body.len());
        bytes.replace(&from, &format!("content-length: {to}")).into_bytes()
    };
    vec![
        lost(4, "RST after the body", false).reads(true, Then::Reset, |_| Vec::new()),
        lost(4, "FIN after the body", false).reads(true, Then::Close, |_| Vec::new()),
        lost(5, "FIN within the head of the answer", false)
            .reads(true, Then::Close, |_| b"HTTP/1.1 200 OK\r\nconte".to_vec()),
        lost(5, "RST within the answer", true).reads(true, Then::Reset, announced),
        lost(5, "short Content-Length", true).reads(true, Then::Close, announced),
        lost(5, "cut chunks", true).reads(true, Then::Close, |reply| {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
                reply.content_type,
                reply.body.len()
            );
            [head.as_bytes(), half(reply)].concat()
        }),
    ]
}

fn silent() -> Vec<Fault> {
    let begun = |reply: &Reply| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: 100000\r\n\r\n",
            reply.content_type
        );
        [head.as_bytes(), half(reply)].concat()
    };
    let silence = |row, name, in_body| Fault::new(row, name, Times::Always, Effect::Silence { in_body });
    vec![
        silence(6, "no answer ever", false).reads(true, Then::Hang, |_| Vec::new()),
        silence(6, "half a head, then silence", false)
            .reads(true, Then::Hang, |_| b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
        silence(7, "half a body, then silence", true).reads(true, Then::Hang, begun),
        Fault::new(7, "a byte a second", Times::Always, Effect::Drip).reads(true, Then::Drip, begun),
    ]
}

/// A date 30 s ahead, in whole seconds, as HTTP writes it.
fn date_ahead(clock: &Virtual) -> String {
    let then = clock.wall() + Duration::from_secs(30);
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&then).unwrap()
}

fn waits() -> Vec<Fault> {
    let seconds = |seconds| Hint::Wait(Duration::from_secs(seconds));
    let mut all = Vec::new();
    for status in [429, 503] {
        let said = [
            ("2", seconds(2)),
            ("0", seconds(0)),
            ("-5", Hint::Nonsense),
            ("soon", Hint::Nonsense),
            ("99999", seconds(99_999)),
        ];
        for (text, hint) in said {
            let effect = Effect::Status(status, Some(hint));
            all.push(Fault::new(8, format!("{status}, Retry-After: {text}"), Times::Once, effect).reads(
                false,
                Then::Keep,
                move |_| status_only(status, &format!("retry-after: {text}\r\n")),
            ));
        }
        let effect = Effect::Status(status, Some(seconds(30)));
        all.push(Fault::new(8, format!("{status}, Retry-After: a date"), Times::Once, effect).making(
            move |_, clock| {
                let says = status_only(status, &format!("retry-after: {}\r\n", date_ahead(clock)));
                Deed::Read { acts: false, says, then: Then::Keep }
            },
        ));
        let effect = Effect::Status(status, Some(seconds(1)));
        all.push(Fault::new(8, format!("{status}, Retry-After: 1"), Times::Always, effect).reads(
            false,
            Then::Keep,
            move |_| status_only(status, "retry-after: 1\r\n"),
        ));
    }
    all
}

fn unreadable() -> Vec<Fault> {
    let unreadable = |row, name| Fault::new(row, name, Times::Always, Effect::Unreadable);
    let text = |body: &'static [u8], content_type| {
        move |_: &Reply| Reply { status: 200, content_type, body: body.to_vec() }.bytes("")
    };
    let mut all = vec![
        unreadable(10, "malformed JSON").reads(
            true,
            Then::Keep,
            text(b"{\"success\": tru, }", "application/json"),
        ),
        unreadable(10, "cut JSON, whole answer").reads(true, Then::Keep, |reply| {
            Reply { content_type: "application/json", body: half(reply).to_vec(), ..reply.clone() }.bytes("")
        }),
        unreadable(10, "empty 200").reads(true, Then::Keep, text(b"", "application/json")),
        unreadable(10, "HTML 200").reads(
            true,
            Then::Keep,
            text(b"<html><body>Log in</body></html>", "text/html"),
        ),
        unreadable(10, "another type: an image").reads(
            true,
            Then::Keep,
            text(b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        ),
    ];
    all.push(
        Fault::new(12, "gzip bomb of 144 MB", Times::Always, Effect::Unreadable).reads(true, Then::More(bomb()), |reply| {
            let (kind, length) = (reply.content_type, bomb().len());
            format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n")
                .into_bytes()
        }),
    );
    for encoding in ["br", "zstd", "deflate", "gzip, gzip"] {
        let name = format!("encoding {encoding}");
        all.push(Fault::new(12, name, Times::Always, Effect::Unreadable).reads(
            true,
            Then::Keep,
            move |reply| {
                let body = b"\x1f\x8b packed \x00\xff".to_vec();
                let packed = Reply { status: 200, content_type: reply.content_type, body };
                packed.bytes(&format!("content-encoding: {encoding}\r\n"))
            },
        ));
    }
    all
}

fn large() -> Vec<Fault> {
    let head = |reply: &Reply| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n\r\n",
            reply.content_type
        );
        // What a download looks at before it believes.
        let begins = if reply.content_type == "application/pdf" { "5\r\n%PDF-\r\n" } else { "" };
        [head, begins.to_owned()].concat().into_bytes()
    };
    vec![Fault::new(11, "512 MiB in chunks", Times::Always, Effect::TooLarge).reads(true, Then::Flood, head)]
}

fn redirects(elsewhere: SocketAddr) -> Vec<Fault> {
    let port = elsewhere.port();
    let mut to: Vec<(u16, String)> =
        [301, 302, 303, 307, 308].map(|status| (status, format!("http://{elsewhere}/elsewhere"))).to_vec();
    to.push((307, format!("http://localhost:{port}/elsewhere")));
    to.push((307, format!("https://{elsewhere}/elsewhere")));
    to.push((307, format!("//{elsewhere}/elsewhere")));
    let name = |location: &str| match location {
        text if text.starts_with("https") => "another scheme and port",
        text if text.contains("localhost") => "another host",
        text if text.starts_with("//") => "another port, without a scheme",
        _ => "another port",
    };
    let fault = |(status, location): (u16, String)| {
        Fault::new(13, format!("{status} to {}", name(&location)), Times::Always, Effect::Redirect).reads(
            false,
            Then::Keep,
            move |_| status_only(status, &format!("location: {location}\r\n")),
        )
    };
    to.into_iter().map(fault).collect()
}

fn odd() -> Vec<Fault> {
    let harmless = |row, name| Fault::new(row, name, Times::Always, Effect::Harmless);
    vec![
        harmless(10, "the right answer as text/plain")
            .reads(true, Then::Keep, |reply| Reply { content_type: "text/plain", ..reply.clone() }.bytes("")),
        harmless(14, "a hundred 1xx before the answer").reads(true, Then::Keep, |reply| {
            [b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100), reply.bytes("")].concat()
        }),
        // No whole answer ever comes: either the library or a limit ends it.
        Fault::new(14, "1xx without end", Times::Always, Effect::Silence { in_body: false }).reads(
            true,
            Then::Again,
            |_| b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec(),
        ),
    ]
}

/// 900 KiB of gzip that unpack to 144 MB of zeros: one literal, then the longest copies, 13 bits for 258 bytes each (RFC 1951).
pub fn bomb() -> &'static [u8] {
    static BOMB: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BOMB.get_or_init(|| {
        let mut bits = Bits { bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], filled: 0 };
        // Last block, fixed codes; the byte 0 is the code 0011 0000.
        [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0].into_iter().for_each(|bit| bits.push(bit));
        while bits.bytes.len() < 900 * 1024 {
            // Length 258 is the symbol 285, code 1100 0101; distance 1 is 00000.
            [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0].into_iter().for_each(|bit| bits.push(bit));
        }
        (0..7).for_each(|_| bits.push(0));
        // Nobody comes as far as the sum and the length.
        bits.bytes.extend([0; 8]);
        bits.bytes
    })
}

struct Bits {
    bytes: Vec<u8>,
    filled: u8,
}

impl Bits {
    fn push(&mut self, bit: u8) {
        if self.filled == 0 {
            self.bytes.push(0);
        }
        *self.bytes.last_mut().unwrap() |= bit << self.filled;
        self.filled = (self.filled + 1) % 8;
    }
}
