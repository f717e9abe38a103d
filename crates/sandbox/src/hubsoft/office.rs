//! What each call answers (contract section 3.5). Refusals of parameters come with 200 and another `status`.

use serde_json::{Map, Value, json};

use super::{CLEAR_TEXT, CLIENT_ID, CLIENT_SECRET, Endpoint, PASSWORD, State, USERNAME};
use crate::answer::Answer;
use crate::chance;
use crate::geosite::{Customer, GeoSite};

const USUAL: &str = "servico_habilitado";

pub(super) struct Call<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) authorization: Option<&'a str>,
    pub(super) body: &'a [u8],
}

/// A refusal in words.
type Read<T> = Result<T, String>;

impl Call<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Read<&str> {
        self.get(name).ok_or_else(|| format!("O campo {name} é obrigatório"))
    }

    fn one_of(&self, name: &str, allowed: &[&str]) -> Read<()> {
        let fits = self.get(name).is_none_or(|value| allowed.contains(&value));
        fits.then_some(()).ok_or_else(|| format!("O campo {name} é inválido"))
    }

    /// A whole number up to a limit.
    fn number(&self, name: &str, text: &str, range: std::ops::RangeInclusive<usize>) -> Read<usize> {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("O campo {name} é inválido"))
    }
}

impl State {
    pub(super) fn act(&mut self, call: &Call<'_>, geosite: &GeoSite) -> Answer {
        if call.endpoint == Endpoint::Token {
            return self.log_in(call.body, geosite.now());
        }
        let token = call.authorization.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        if self.tokens.get(token).is_none_or(|until| geosite.now() >= *until) {
            return unauthorized("unauthenticated", "Token inválido ou expirado");
        }
        let found = match call.endpoint {
            Endpoint::Customer => self.search(call, geosite),
            Endpoint::Customers => self.page(call, geosite),
            _ => Ok(json!({ "caixas_opticas": boxes(geosite) })),
        };
        match found {
            Ok(Value::Object(mut fields)) => {
                fields.insert("status".to_owned(), json!(self.settings.success));
                fields.insert("msg".to_owned(), json!("Dados consultados com sucesso"));
                Answer::json(200, &Value::Object(fields))
            }
            Ok(_) => Answer::json(500, &json!({ "status": "error" })),
            Err(text) => Answer::json(200, &json!({ "status": "error", "msg": text })),
        }
    }

    fn log_in(&mut self, body: &[u8], now: i64) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let wanted = [
            ("grant_type", "password"),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
            ("username", USERNAME),
            ("password", PASSWORD),
        ];
        let shown = |key: &str| match body.get(key) {
            Some(Value::Number(number)) => number.to_string(),
            other => other.and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        if wanted.iter().any(|(key, value)| shown(key) != *value) {
            return unauthorized("invalid_credentials", "The user credentials were incorrect.");
        }
        let token = chance::hex(32);
        let life = self.settings.token_life;
        self.tokens.insert(token.clone(), now.saturating_add_unsigned(life));
        self.logins += 1;
        let body = json!({
            "token_type": "Bearer", "expires_in": life, "access_token": token, "refresh_token": chance::hex(32),
        });
        Answer::json(200, &body)
    }

    fn status(&self, customer: &Customer) -> &str {
        self.statuses.get(&customer.contract).map_or(USUAL, String::as_str)
    }

    /// `cancelado` sim/nao, `inativo` sim/nao/todos and `servico_status`; without `cancelado=sim` cancelled services stay out.
    fn wanted(&self, call: &Call<'_>, customer: &Customer) -> bool {
        let status = self.status(customer);
        let named = call.get("servico_status").is_none_or(|wanted| wanted == status);
        let active = match call.get("inativo") {
            Some("sim") => status == "inativo",
            Some("nao") => status != "inativo",
            _ => true,
        };
        named && active && (call.get("cancelado") == Some("sim") || status != "cancelado")
    }

    fn search(&self, call: &Call<'_>, geosite: &GeoSite) -> Read<Value> {
        let (by, term) = (call.required("busca")?, call.required("termo_busca")?);
        let limit = call.number("limit", call.get("limit").unwrap_or("5"), 1..=100)?;
        call.one_of("cancelado", &["sim", "nao"])?;
        call.one_of("inativo", &["sim", "nao", "todos"])?;
        let matches = matcher(by, term)?;
        let customers = ordered(call, geosite.customers(0, usize::MAX))?;
        let found = customers.iter().filter(|one| matches(one) && self.wanted(call, one));
        let rows: Vec<Value> = found.take(limit).map(|one| self.customer(one, true, geosite)).collect();
        Ok(json!({ "clientes": rows }))
    }

    fn page(&self, call: &Call<'_>, geosite: &GeoSite) -> Read<Value> {
        let number = call.number("pagina", call.required("pagina")?, 0..=usize::MAX)?;
        let per = call.number("itens_por_pagina", call.required("itens_por_pagina")?, 1..=500)?;
        let seats =
            call.get("relacoes").is_some_and(|all| all.split(',').any(|one| one == "porta_atendimento"));
        let first = number.saturating_mul(per);
        let plain = self.statuses.is_empty()
            && ["cancelado", "servico_status", "data_inicio", "data_fim"]
                .iter()
                .all(|key| call.get(key).is_none());
        let (total, rows) = if plain {
            // Nothing to judge: a page costs what it holds.
            (geosite.count(crate::geosite::Feature::Cliente), geosite.customers(first, per))
        } else {
            let all = geosite.customers(0, usize::MAX);
            let wanted: Vec<Customer> =
                all.into_iter().filter(|one| self.wanted(call, one) && within(call, one, geosite)).collect();
            (wanted.len(), wanted.into_iter().skip(first).take(per).collect())
        };
        let rows: Vec<Value> = rows.iter().map(|one| self.customer(one, seats, geosite)).collect();
        let last = total.saturating_sub(1) / per;
        let paging = json!({
            "primeira_pagina": 0, "ultima_pagina": last, "pagina_atual": number, "total_registros": total,
        });
        Ok(json!({ "clientes": rows, "paginacao": paging }))
    }

    fn customer(&self, customer: &Customer, seats: bool, geosite: &GeoSite) -> Value {
        let seat =
            customer.seat.as_ref().map(|(splitter, port)| json!({ "numero": port, "equipamento": splitter }));
        let mut service = json!({
            "id_cliente_servico": customer.contract,
            "nome": "Plano Fibra 500 Mega",
            "status_prefixo": self.status(customer),
            "login": format!("cliente{}", customer.contract),
            "senha": CLEAR_TEXT,
            "senhas": [{ "tipo": "pppoe", "senha": CLEAR_TEXT }],
        });
        if let (true, Some(fields)) = (seats, service.as_object_mut()) {
            fields.insert("porta_atendimento".to_owned(), seat.unwrap_or_default());
        }
        json!({
            "id_cliente": customer.fid,
            "codigo_cliente": customer.fid,
            "nome_razaosocial": customer.name,
            "cpf_cnpj": customer.document,
            "data_cadastro": geosite.local_time(customer.changed),
            "senha": CLEAR_TEXT,
            "servicos": [service],
        })
    }
}

/// Whether the day of `data_cadastro` is in the span asked for; days are compared as texts.
fn within(call: &Call<'_>, customer: &Customer, geosite: &GeoSite) -> bool {
    let time = geosite.local_time(customer.changed);
    let day = time.get(..10).unwrap_or_default();
    call.get("data_inicio").is_none_or(|from| from <= day) && call.get("data_fim").is_none_or(|to| day <= to)
}

/// `order_by` and `order_type`. Nothing here is ever closed: by `data_fechamento` the order is that of the numbers.
fn ordered(call: &Call<'_>, mut customers: Vec<Customer>) -> Read<Vec<Customer>> {
    call.one_of("order_by", &["data_cadastro", "data_fechamento"])?;
    call.one_of("order_type", &["asc", "desc"])?;
    if call.get("order_by") == Some("data_cadastro") {
        customers.sort_by_key(|customer| customer.changed);
    }
    if call.get("order_type") == Some("desc") {
        customers.reverse();
    }
    Ok(customers)
}

type Matcher = Box<dyn Fn(&Customer) -> bool>;

/// How H2 compares. Customers here have no trade name, telephone or address of a device.
fn matcher(by: &str, term: &str) -> Read<Matcher> {
    let bare = |text: &str| text.replace(['.', '/', '-', ' '], "").to_uppercase();
    let (term, plain) = (term.to_owned(), bare(term));
    let lower = term.to_lowercase();
    match by {
        "cpf_cnpj" => Ok(Box::new(move |one| bare(&one.document) == plain)),
        "nome_razaosocial" => Ok(Box::new(move |one| one.name.to_lowercase().contains(&lower))),
        "codigo_cliente" => Ok(Box::new(move |one| one.fid.to_string() == term)),
        "id_cliente_servico" => Ok(Box::new(move |one| one.contract.to_string() == term)),
        "login_radius" => Ok(Box::new(move |one| format!("cliente{}", one.contract) == term)),
        "nome_fantasia" | "telefone" | "ipv4" | "mac" => Ok(Box::new(|_| false)),
        _ => Err("O campo busca é inválido".to_owned()),
    }
}

fn boxes(geosite: &GeoSite) -> Vec<Value> {
    let one = |(fid, code, name): (u32, String, String)| {
        let fields: Map<String, Value> = Map::from_iter([
            ("id_caixa_optica".to_owned(), json!(fid)),
            ("nome".to_owned(), json!(code)),
            ("display".to_owned(), json!(format!("{code} - {name}"))),
        ]);
        Value::Object(fields)
    };
    geosite.terminals().into_iter().map(one).collect()
}

fn unauthorized(error: &str, text: &str) -> Answer {
    Answer::json(401, &json!({ "error": error, "error_description": text, "message": text }))
}
