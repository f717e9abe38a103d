//! Layer A: every operation of contract 3.2 and 3.3.

use apiges_sync::{
    Assumptions, CalendarDate, Catalogue, Client, Environment, LoginStyle, ManualClock, Search,
};
use http::Method;
use serde_json::{Value, json};

use crate::{CODE, DATE, Echo, FIRM, KEY, LONG, MAIL, NAME, NUMBER, SHORT, once, server, tells_nothing};

fn client(url: &str) -> Client {
    let builder = Client::builder().environment(Environment::at(url).unwrap()).credentials(NAME, FIRM);
    builder.clock(ManualClock::new()).retry(once()).build().unwrap()
}

/// The fields of contract 3.4, each with a sentinel.
fn body() -> Value {
    json!({
        "idCliente": NUMBER, "clave": KEY, "referencia": CODE, "referencia4": SHORT, "observacion": LONG, "nombre": FIRM,
        "email": MAIL, "fechaVencimiento": DATE, "empresa": {"codigo": NAME, "descripcion": FIRM},
        "banco": {"iban": "ES91 2100 0418 4502 0005 7739 1204", "cuenta": NUMBER}, "lista": [SHORT, {"x": NAME}],
    })
}

fn search() -> Search {
    let date: CalendarDate = DATE.parse().unwrap();
    Search::all()
        .equal("referencia", [CODE, SHORT, FIRM])
        .equal("clave", [KEY])
        .equal("idCliente", [77_391_204])
        .between("fechaVencimiento", date, date)
}

#[tokio::test]
async fn no_operation_shows_what_was_asked() {
    for echo in Echo::all() {
        let server = server(echo).await;
        let client = client(&server.uri());
        let (n, body, search) = (NUMBER, &body(), &search());
        macro_rules! calls {
            ($($call:ident($($argument:expr),*);)+) => {$(
                tells_nothing(stringify!($call), echo, client.$call($($argument),*).await);
            )+};
        }
        calls! {
            contact(n); contact_actions(n); contact_addresses(n); contact_holders(n);
            get_or_create_contact(body); search_contacts(search); add_contact_holder(n, body);
            add_contact_address(n, body); change_contact_address(n, n, body);
            case_file(n); case_file_acts(n); case_file_act(n, n); case_file_notes(n); case_file_graphics(n);
            case_file_priorities(n); case_file_situations(n); case_file_tasks(n); case_file_task(n, n); task_amounts(n, n);
            case_file_holders(n); case_file_specifics(n);
            search_case_files(search); search_acts(search); search_tasks(search);
            create_case_file(body); add_act(n, body); add_task(n, body); add_task_amount(n, n, body);
            add_case_file_holder(n, body); change_case_file(n, body); change_task(n, n, body);
            change_task_amount(n, n, n, body);
            received_invoice(n); received_invoice_lines(n); invoice_line_case_files(n, n); create_received_invoice(body);
            add_invoice_line_case_file(n, n, body); change_received_invoice(n, body); delete_invoice_line(n, n);
            delete_invoice_line_expenses(n, n); catalogue(Catalogue::Countries);
            raw(Method::POST, "/articulos/Zurriaga/Eva y Ada de Oz?texto=Peñagrande", Some(body));
            raw(Method::GET, "/articulos/Zurriaga?clave=Q-7", None);
        }
    }
}

#[tokio::test]
async fn a_login_shows_neither_user_nor_password() {
    let headers = LoginStyle::Headers { user: "x-user".into(), password: "x-password".into() };
    let query = LoginStyle::Query { user: "user".into(), password: "password".into() };
    for style in [LoginStyle::BasicHeader, headers, query] {
        let server = wiremock::MockServer::start().await;
        let echo = |request: &wiremock::Request| {
            let head = format!("{:?} {}", request.headers, &request.url[url::Position::BeforePath..]);
            let plain = percent_encoding::percent_decode_str(&head).decode_utf8_lossy().into_owned();
            let said = format!("unknown user {MAIL}: {head} {plain}");
            let body = json!({"statusCode": 401, "message": said, "data": null});
            wiremock::ResponseTemplate::new(401).set_body_json(body)
        };
        wiremock::Mock::given(wiremock::matchers::any()).respond_with(echo).mount(&server).await;
        let mut assumptions = Assumptions::default();
        assumptions.login_style = style;
        let builder = Client::builder().environment(Environment::at(&server.uri()).unwrap());
        let builder = builder.credentials(MAIL, "Peñagrande-1").assumptions(assumptions);
        let client = builder.clock(ManualClock::new()).retry(once()).build().unwrap();
        tells_nothing("log_in", Echo::all()[0], client.log_in().await);
        tells_nothing("contact", Echo::all()[0], client.contact(1).await);
    }
}

/// Faults that are found before anything is sent name the field and not the value.
#[tokio::test]
async fn what_is_refused_here_is_not_repeated_either() {
    let client = client("http://127.0.0.1:1");
    let echo = Echo::all()[0];
    for path in ["Zurriaga", "/Zurriaga%20", "/Zurriaga#", "/Zurriaga/2/3/4/5/6/7/8/9", "/a//Zurriaga"] {
        tells_nothing(path, echo, client.raw(Method::GET, path, None).await);
    }
    tells_nothing("raw", echo, client.raw(Method::GET, "/a", Some(&json!([NAME]))).await);
    tells_nothing("language", echo, client.in_language_code(NAME));
    let backwards = Search::all().equal("clave", Vec::<&str>::new()).compared("x", "BT", [NAME]);
    tells_nothing("search", echo, client.search_case_files(&backwards).await);
    tells_nothing("nothing answers", echo, client.create_case_file(&body()).await);
}
