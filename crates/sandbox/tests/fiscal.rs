//! Faults as a client's socket meets them, and what the simulator says really happened.
//!
//! The client is raw TCP on purpose: whether a connection ended by RST or FIN, and after how many bytes, is what
//! is being proven, and an HTTP client would hide it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic as tests do")]

use std::io::ErrorKind;

use integration_sandbox::fiscal::{DocumentState, Endpoint, Fiscal, Issuer, Spelling};
use integration_sandbox::{Error, Fault, Sandbox, Scripted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How a conversation ended on the socket.
#[derive(Debug, PartialEq)]
enum Ended {
    Fin,
    Reset,
}

async fn connect(fiscal: &Fiscal) -> std::io::Result<TcpStream> {
    TcpStream::connect(fiscal.base_url().strip_prefix("http://").unwrap()).await
}

fn request(fiscal: &Fiscal, path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        fiscal.token(),
        body.len()
    )
}

/// Reads until the connection ends; tells what came and how it ended.
async fn drain(mut stream: TcpStream) -> (String, Ended) {
    let mut bytes = Vec::new();
    let ended = match stream.read_to_end(&mut bytes).await {
        Ok(_) => Ended::Fin,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
            Ended::Reset
        }
    };
    (String::from_utf8(bytes).unwrap(), ended)
}

async fn send(fiscal: &Fiscal, path: &str, body: &str) -> (String, Ended) {
    let mut stream = connect(fiscal).await.unwrap();
    stream.write_all(request(fiscal, path, body).as_bytes()).await.unwrap();
    drain(stream).await
}

async fn issue(fiscal: &Fiscal, internal: &str) -> (String, Ended) {
    send(fiscal, "/facturacion", &invoice(fiscal.rif(), internal)).await
}

fn invoice(rif: &str, internal: &str) -> String {
    format!(
        r#"{{"rif":"{rif}","nombrecliente":"Comercial Ejemplo","rifcedulacliente":"V-12345678",
        "direccioncliente":"Calle 1","telefonocliente":"584121234567","emailcliente":"compras@example.com",
        "idtipodocumento":1,"numerointerno":"{internal}","tipomoneda":1,"tasadecambio":0,"tasacambio":0,
        "subtotal":40.00,"exento":10.00,"tasag":16.00,"baseg":20.00,"impuestog":3.20,
        "tasar":8.00,"baser":10.00,"impuestor":0.80,
        "tasaigtf":3.00,"baseigft":44.00,"baseigtf":44.00,"impuestoigtf":1.32,"total":45.32,"sendmail":0,
        "cuerpofactura":[{{"comentario":"","precio":20.00,"cantidad":2,"descuento":0.00,"monto":40.00}}],
        "formasdepago":[{{"forma":"Efectivo","valor":45.32}}]}}"#
    )
}

/// Status of an answer, 0 if there is none.
fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn announced_length(answer: &str) -> usize {
    let lower = answer.to_ascii_lowercase();
    let (_, rest) = lower.split_once("content-length: ").unwrap();
    rest.split_once("\r\n").unwrap().0.parse().unwrap()
}

/// Plays one fault against one issue and returns what the client saw and whether the document exists.
async fn play(fault: Fault) -> (String, Ended, bool) {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    let name = fault.name();
    fiscal.inject(Endpoint::Issue, fault);
    let (answer, ended) = issue(fiscal, "00000042").await;
    let acted = fiscal.count("00000042") == 1;
    let requests = fiscal.requests();
    assert_eq!((requests.len(), requests[0].acted), (1, acted), "{name}");
    assert_eq!(requests[0].fault.as_deref(), Some(name));
    assert_eq!(requests[0].status.unwrap_or(0), status(&answer), "{name}");
    // Once means once.
    let next = if acted { "00000043" } else { "00000042" };
    assert_eq!(status(&issue(fiscal, next).await.0), 200, "{name}");
    (answer, ended, acted)
}

#[tokio::test]
async fn without_faults_a_document_is_issued_annulled_and_mailed() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    let (answer, _) = issue(fiscal, "00000042").await;
    assert_eq!(status(&answer), 200);
    assert!(body(&answer).contains(r#""numerodocumento":"00-00000001""#), "{answer}");

    let rif = fiscal.rif();
    let target = format!(r#""rif":"{rif}","numerodocumento":"00-00000001""#);
    let annul = format!(r#"{{{target},"observacion":"prueba"}}"#);
    assert_eq!(status(&send(fiscal, "/anulacion", &annul).await.0), 200);
    let mail = format!(r#"{{{target},"email":"a@example.com|b@example.com"}}"#);
    assert_eq!(status(&send(fiscal, "/email", &mail).await.0), 200);

    let document = &fiscal.documents()[0];
    assert_eq!(document.body, invoice(rif, "00000042"));
    assert_eq!((document.total.as_str(), document.remark.as_str()), ("45.32", "prueba"));
    assert_eq!(document.state, DocumentState::Annulled);
    assert_eq!(fiscal.mails()[0].recipients.len(), 2);
    assert_eq!(fiscal.count_of(rif, 1, "00000042"), 1);
    assert_eq!(fiscal.count_of(rif, 2, "00000042"), 0);
}

#[tokio::test]
async fn rejections_travel_with_202_and_are_logged_with_their_code() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    issue(fiscal, "1").await;
    let (answer, _) = issue(fiscal, "1").await;
    assert_eq!(status(&answer), 202);
    assert!(body(&answer).contains(r#""code":8"#));
    let last = fiscal.requests().pop().unwrap();
    assert_eq!((last.code, last.status, last.acted), (Some(8), Some(202), false));
}

#[tokio::test]
async fn the_wire_form_of_a_request_is_judged_before_its_content() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    let whole = request(fiscal, "/facturacion", &invoice(fiscal.rif(), "1"));
    let token = format!("Authorization: Bearer {}\r\n", fiscal.token());
    for (changed, expected, word) in [
        (whole.replace("Content-Type: application/json\r\n", ""), 202, r#""code":3"#),
        (whole.replace(&token, ""), 401, "\""),
        (whole.replace("Bearer ", "Bearer  "), 202, r#""code":1"#),
        (whole.replace(r#"{"rif""#, r#"["rif""#), 400, "Error"),
        (whole.replace("/facturacion", "/facturacion/status"), 404, "Cannot"),
        (whole.replace("/facturacion", "/factura"), 404, "Cannot"),
    ] {
        let mut stream = connect(fiscal).await.unwrap();
        stream.write_all(changed.as_bytes()).await.unwrap();
        let (answer, _) = drain(stream).await;
        assert_eq!(status(&answer), expected, "{answer}");
        assert!(body(&answer).contains(word), "{answer}");
    }
    assert!(fiscal.documents().is_empty());
    assert_eq!(fiscal.requests().len(), 6);
}

#[tokio::test]
async fn refused_connections_are_refused_by_the_kernel_and_the_port_comes_back() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    let mut idle = connect(fiscal).await.unwrap();
    fiscal.refuse_connections().await.unwrap();
    fiscal.refuse_connections().await.unwrap();
    assert_eq!(connect(fiscal).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // A pooled connection must not slip past a port that is down.
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
    fiscal.accept_connections().await.unwrap();
    fiscal.accept_connections().await.unwrap();
    assert_eq!(status(&issue(fiscal, "1").await.0), 200);
    fiscal.refuse_connections().await.unwrap();
    fiscal.accept_connections().await.unwrap();
    assert_eq!(status(&issue(fiscal, "2").await.0), 200);
}

#[tokio::test]
async fn a_reset_on_accept_comes_before_any_request() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    fiscal.inject(Endpoint::Issue, Fault::ResetOnAccept);
    let stream = connect(fiscal).await.unwrap();
    assert_eq!(drain(stream).await, (String::new(), Ended::Reset));
    assert!(fiscal.requests().is_empty());
    assert_eq!(fiscal.connections(), 1);
    assert_eq!(status(&issue(fiscal, "1").await.0), 200);
}

#[tokio::test]
async fn a_reset_before_the_body_needs_no_body() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    fiscal.inject(Endpoint::Issue, Fault::ResetBeforeBody);
    let mut stream = connect(fiscal).await.unwrap();
    let whole = request(fiscal, "/facturacion", &invoice(fiscal.rif(), "1"));
    let head = whole.split_inclusive("\r\n\r\n").next().unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(drain(stream).await, (String::new(), Ended::Reset));
    assert!(fiscal.documents().is_empty());
    assert_eq!(fiscal.requests()[0].fault.as_deref(), Some("reset_before_body"));
}

#[tokio::test]
async fn resets_and_closings_tell_nothing_but_the_state_tells_whether_it_acted() {
    let silent = String::new;
    assert_eq!(play(Fault::ResetBeforeActing).await, (silent(), Ended::Reset, false));
    assert_eq!(play(Fault::CloseBeforeActing).await, (silent(), Ended::Fin, false));
    assert_eq!(play(Fault::ActThenReset).await, (silent(), Ended::Reset, true));
    assert_eq!(play(Fault::ActThenClose).await, (silent(), Ended::Fin, true));
}

#[tokio::test]
async fn error_answers_after_acting() {
    let (answer, _, acted) = play(Fault::ActThenErrorText).await;
    assert!(status(&answer) == 400 && body(&answer).starts_with("Error:"));
    assert!(acted);
    for code in [500, 502, 503, 504] {
        let (answer, _, acted) = play(Fault::act_then_status(code)).await;
        assert!(status(&answer) == code && answer.contains("text/plain") && acted);
        let (answer, _, acted) = play(Fault::act_then_html(code)).await;
        assert!(status(&answer) == code && body(&answer).contains("<html>") && acted);
    }
}

#[tokio::test]
async fn a_cut_body_is_shorter_than_announced() {
    let (answer, ended, acted) = play(Fault::ActThenCutBody).await;
    assert_eq!((status(&answer), ended, acted), (200, Ended::Fin, true));
    assert!(body(&answer).len() < announced_length(&answer));
    assert!(!body(&answer).is_empty());
}

#[tokio::test]
async fn a_cut_chunked_body_has_no_last_chunk() {
    let (answer, ended, acted) = play(Fault::ActThenCutChunked).await;
    assert_eq!((status(&answer), ended, acted), (200, Ended::Fin, true));
    assert!(answer.contains("transfer-encoding: chunked") && !answer.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn a_stalled_body_stays_half_sent_on_an_open_connection() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    fiscal.inject(Endpoint::Issue, Fault::ActThenStall);
    let mut stream = send_only(fiscal, "1").await;
    fiscal.wait_for_requests(1).await;
    let mut buffer = vec![0; 4096];
    let read = stream.read(&mut buffer).await.unwrap();
    let answer = String::from_utf8_lossy(&buffer[..read]).into_owned();
    assert!(status(&answer) == 200 && body(&answer).len() < announced_length(&answer));
    assert!(is_silent(&stream).await);
    assert_eq!(fiscal.count("1"), 1);
}

#[tokio::test]
async fn an_oversized_body_is_valid_json_of_the_asked_length() {
    let (answer, _, acted) = play(Fault::ActThenOversized { bytes: 200_001 }).await;
    assert!(acted);
    assert_eq!(body(&answer).len(), 200_001);
    assert!(body(&answer).trim_end().ends_with('}'));
}

#[tokio::test]
async fn answers_without_acting() {
    let (answer, _, acted) = play(Fault::too_many_requests("Fri, 31 Dec 1999 23:59:59 GMT")).await;
    assert!(status(&answer) == 429 && answer.contains("retry-after: Fri, 31 Dec 1999") && !acted);
    let (answer, _, acted) = play(Fault::unavailable("-5")).await;
    assert!(status(&answer) == 503 && answer.contains("retry-after: -5\r\n") && !acted);
    let (answer, _, acted) = play(Fault::Html).await;
    assert!(status(&answer) == 200 && body(&answer).contains("<form>") && !acted);
    let (answer, _, acted) = play(Fault::Empty).await;
    assert!(status(&answer) == 200 && body(&answer).is_empty() && !acted);
    let (answer, _, acted) = play(Fault::NoSuccess).await;
    assert!(status(&answer) == 200 && body(&answer) == r#"{"data":{}}"# && !acted);
    let (answer, _, acted) = play(Fault::redirect("http://127.0.0.1:1/away")).await;
    assert!(status(&answer) == 307 && answer.contains("location: http://127.0.0.1:1/away\r\n") && !acted);
    let (answer, _, acted) = play(Fault::ActThenEmpty).await;
    assert!(status(&answer) == 200 && body(&answer).is_empty() && acted);
}

#[tokio::test]
async fn scripted_answers_with_and_without_acting() {
    let script = Scripted::new(299).header("X-Odd", "1").body("anything");
    for (fault, acts) in
        [(Fault::Answer(script.clone()), false), (Fault::ActThenAnswer(script.clone()), true)]
    {
        let (answer, _, acted) = play(fault).await;
        assert!(status(&answer) == 299 && answer.contains("x-odd: 1\r\n"));
        assert_eq!((body(&answer), acted), ("anything", acts));
    }
}

/// Whether nothing arrives while everything that can run has run.
async fn is_silent(stream: &TcpStream) -> bool {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    stream.try_read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

async fn send_only(fiscal: &Fiscal, internal: &str) -> TcpStream {
    let mut stream = connect(fiscal).await.unwrap();
    let whole = request(fiscal, "/facturacion", &invoice(fiscal.rif(), internal));
    stream.write_all(whole.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_held_answer_comes_when_it_is_released_and_acted_before() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    fiscal.inject(Endpoint::Issue, Fault::ActThenHold);
    let stream = send_only(fiscal, "1").await;
    fiscal.wait_for_requests(1).await;
    assert_eq!(fiscal.count("1"), 1);
    assert_eq!(fiscal.requests()[0].status, None);
    assert!(is_silent(&stream).await);
    fiscal.release_held();
    let (answer, _) = drain(stream).await;
    assert_eq!(status(&answer), 200);
    assert_eq!(fiscal.requests()[0].status, Some(200));
}

#[tokio::test]
async fn a_late_answer_acted_long_before() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    fiscal.inject(Endpoint::Issue, Fault::act_then_late(std::time::Duration::from_millis(30)));
    let stream = send_only(fiscal, "1").await;
    fiscal.wait_for_requests(1).await;
    assert_eq!(fiscal.count("1"), 1);
    assert!(is_silent(&stream).await);
    assert_eq!(status(&drain(stream).await.0), 200);
}

#[tokio::test]
async fn a_hanging_request_is_never_answered() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    for (fault, internal, count) in [(Fault::Hang, "1", 0), (Fault::ActThenHang, "1", 1)] {
        fiscal.reset();
        fiscal.inject(Endpoint::Issue, fault);
        let stream = send_only(fiscal, internal).await;
        fiscal.wait_for_requests(1).await;
        assert_eq!(fiscal.count(internal), count);
        assert!(is_silent(&stream).await);
    }
}

#[tokio::test]
async fn an_uncaught_exception_breaks_the_connection() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    let body = r#"{"rif":"J-12345678-4","numerodocumento":"00-00000009","email":"a@example.com"}"#;
    assert_eq!(send(fiscal, "/email", body).await, (String::new(), Ended::Reset));
    assert_eq!(fiscal.requests()[0].status, None);
}

#[tokio::test]
async fn faults_are_counted_per_endpoint_and_cleared() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    fiscal.inject_times(Endpoint::Issue, Fault::Empty, 2);
    fiscal.inject_always(Endpoint::Annul, Fault::Html);
    let mut lengths = Vec::new();
    for _ in 0..3 {
        lengths.push(body(&issue(fiscal, "1").await.0).is_empty());
    }
    assert_eq!(lengths, [true, true, false]);
    for _ in 0..3 {
        assert!(send(fiscal, "/anulacion", "{}").await.0.contains("<form>"));
    }
    fiscal.clear_faults();
    assert!(send(fiscal, "/anulacion", "{}").await.0.contains(r#""code":3"#));
}

#[tokio::test]
async fn a_seeded_run_of_faults_can_be_replayed() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    let mut runs = Vec::new();
    for _ in 0..2 {
        fiscal.reset();
        fiscal.inject_random(Endpoint::Issue, Fault::Empty, 0.5, 11);
        let mut run = Vec::new();
        for _ in 0..12 {
            run.push(body(&issue(fiscal, "1").await.0).is_empty());
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&true) && runs[0].contains(&false));
}

#[tokio::test]
async fn a_connection_serves_several_requests_when_nothing_is_wrong() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    let mut stream = connect(fiscal).await.unwrap();
    for internal in ["1", "2"] {
        let whole = request(fiscal, "/facturacion", &invoice(fiscal.rif(), internal));
        stream.write_all(whole.replace("Connection: close\r\n", "").as_bytes()).await.unwrap();
        let mut buffer = vec![0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(String::from_utf8_lossy(&buffer[..read]).starts_with("HTTP/1.1 200"));
    }
    assert_eq!(fiscal.connections(), 1);
    assert_eq!(fiscal.documents().len(), 2);
}

#[tokio::test]
async fn settings_change_what_is_deployed() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    let probe = r#"{"rif":"J-12345678-4","idtipodocumento":1}"#;
    assert_eq!(status(&send(fiscal, "/facturacion/numerointerno", probe).await.0), 404);
    fiscal.enable_probes(true);
    assert!(send(fiscal, "/facturacion/numerointerno", probe).await.0.contains("00000001"));

    fiscal.set_control_numbers_left(fiscal.rif(), 0);
    assert!(issue(fiscal, "1").await.0.contains(r#""code":12"#));
    fiscal.set_control_numbers_left(fiscal.rif(), 1);
    assert_eq!(status(&issue(fiscal, "1").await.0), 200);

    fiscal.reset();
    fiscal.configure(|settings| (settings.spelling, settings.body_limit) = (Spelling::Documented, 10));
    assert_eq!(status(&issue(fiscal, "1").await.0), 413);
    assert_eq!(fiscal.settings().spelling, Spelling::Documented);
}

#[tokio::test]
async fn every_issuer_has_its_own_token_and_numbers() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal();
    let token = fiscal.add_issuer(Issuer::new("V-12345678-1").validar_interno(0));
    let whole = request(fiscal, "/facturacion", &invoice("V-12345678-1", "7"));
    for _ in 0..2 {
        let mut stream = connect(fiscal).await.unwrap();
        stream.write_all(whole.replace(fiscal.token(), &token).as_bytes()).await.unwrap();
        assert_eq!(status(&drain(stream).await.0), 200);
    }
    assert_eq!(fiscal.count_of("V-12345678-1", 1, "7"), 2);
    assert!(issue(fiscal, "7").await.0.contains("00-00000001"));
}

#[tokio::test]
async fn dropping_the_sandbox_frees_its_ports_and_its_handles_say_so() {
    let sandbox = Sandbox::start().await.unwrap();
    let fiscal = sandbox.fiscal().clone();
    drop(sandbox);
    assert!(matches!(fiscal.refuse_connections().await, Err(Error::Stopped)));
    assert_eq!(connect(&fiscal).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn the_control_api_drives_the_same_simulator() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = sandbox.control_url().strip_prefix("http://").unwrap().to_owned();
    let call = async |method: &str, path: &str, body: &str| {
        let mut stream = TcpStream::connect(&control).await.unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n"
        );
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        drain(stream).await.0
    };
    let faults = "/_sandbox/fiscal/faults";
    assert_eq!(status(&call("GET", "/_sandbox/", "").await), 200);
    assert_eq!(status(&call("POST", faults, r#"{"endpoint":"issue","fault":"act_then_close"}"#).await), 200);
    assert_eq!(status(&call("POST", faults, r#"{"endpoint":"x","fault":"hang"}"#).await), 400);
    assert_eq!(issue(sandbox.fiscal(), "1").await, (String::new(), Ended::Fin));
    assert!(call("GET", "/_sandbox/fiscal/state", "").await.contains(r#""acted":true"#));

    assert_eq!(status(&call("POST", faults, r#"{"fault":"refuse_connections"}"#).await), 200);
    assert!(connect(sandbox.fiscal()).await.is_err());
    assert_eq!(status(&call("DELETE", faults, "").await), 200);
    assert_eq!(status(&issue(sandbox.fiscal(), "2").await.0), 200);
    assert_eq!(status(&call("POST", "/_sandbox/reset", "").await), 200);
    assert!(sandbox.fiscal().documents().is_empty());
}
