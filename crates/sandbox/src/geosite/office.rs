//! Each operation: what it checks, in which order, and what it answers (contract sections 3.2 to 3.4).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::{Desk, Granted, LoginKind};
use super::cell::{Pen, quoted};
use super::drift::Drifts;
use super::feature::Feature;
use super::filter;
use super::plant::Plant;
use super::query::{Page, Query};
use super::records::Save;
use super::route;
use super::schema::{Described, Key, Source};
use super::settings::{
    BoxesShape, DescShape, Endpoint, FacilitiesShape, NotFound, Numbers, RecordShape, Settings, Spot,
    Success, UnknownAddress,
};
use super::shelf::Row;
use super::times::Times;
use super::twist::Twist;
use crate::clock::Moment;

/// A request that reached its operation.
pub(super) struct Call<'a> {
    pub(super) spot: Spot,
    pub(super) query: &'a str,
    pub(super) authorization: Option<&'a str>,
    pub(super) body: &'a [u8],
    pub(super) twist: Option<&'a Twist>,
    pub(super) now: Moment,
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) body: Value,
}

pub(super) type Answered = Result<Vec<u8>, Failure>;

/// `{"success":"false","codigo":…,"mensagem":…}`
pub(super) fn failure(status: u16, code: &str, text: impl Into<String>) -> Failure {
    Failure { status, body: json!({ "success": "false", "codigo": code, "mensagem": text.into() }) }
}

fn bad_request(text: impl Into<String>) -> Failure {
    failure(400, "PARAMETRO_INVALIDO", text)
}

/// Everything behind the counter.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Office {
    pub(super) plant: Plant,
    pub(super) desk: Desk,
    pub(super) settings: Settings,
    pub(super) drifts: Drifts,
    /// Normalised text and place.
    pub(super) addresses: std::collections::BTreeMap<String, (f64, f64)>,
    pub(super) saves: Vec<Save>,
}

/// Addresses are compared without case and blanks at the ends; a CEP by its digits.
pub(super) fn address_key(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let cep = digits.len() == 8 && text.chars().all(|one| one.is_ascii_digit() || "-. ".contains(one));
    if cep { digits } else { text.trim().to_lowercase() }
}

/// Where V1 and V2 look: degrees, and metres.
struct Circle {
    centre: (f64, f64),
    radius: f64,
}

/// The parameters of one call.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let read = |text: &str| text.parse().map_err(|_| bad_request(format!("{name}: {text}")));
        self.get(name).map(read).transpose()
    }
}

impl Office {
    pub(super) fn act(&mut self, call: &Call<'_>) -> Answered {
        match call.spot.endpoint {
            Endpoint::Login => return self.log_in(call),
            Endpoint::LegacyLogin => return self.log_in_legacy(call),
            Endpoint::Refresh => return self.refresh(call),
            _ => {}
        }
        if !self.desk.admits(call.authorization, &self.settings, call.now) {
            return Err(failure(401, "TOKEN_INVALIDO", "Token inválido ou expirado"));
        }
        if call.query.len() > self.settings.query_limit {
            return Err(failure(414, "URL_LONGA", "URI Too Long"));
        }
        let parameters = Parameters(route::parameters(call.query));
        match (call.spot.endpoint, call.spot.feature) {
            (Endpoint::Desc, Some(feature)) => Ok(self.describe(feature)),
            (Endpoint::Get, Some(feature)) => self.get(feature, &parameters, call.twist),
            (Endpoint::List, Some(feature)) => self.list(feature, &parameters, call),
            (Endpoint::Boxes, _) => self.boxes(&parameters, call.twist),
            (Endpoint::Facilities, _) => self.facilities(&parameters, call.twist),
            (Endpoint::Cable, _) => self.cable(call.body),
            (Endpoint::Save, _) => self.save(call.body, call.now),
            _ => Err(failure(404, "ROTA", "Not Found")),
        }
    }

    pub(super) fn times(&self) -> Times {
        Times::new(&self.settings)
    }

    fn pen(&self) -> Pen {
        Pen { numbers: self.settings.numbers, absent: self.settings.absent, times: self.times() }
    }

    /// `success` of a call that succeeded.
    fn success(&self) -> Option<Value> {
        match self.settings.success {
            Success::Text => Some(json!("true")),
            Success::Bool => Some(json!(true)),
            Success::Number => Some(json!(1)),
            Success::LeftOut => None,
        }
    }

    /// An object of a call that succeeded.
    pub(super) fn succeeded(&self, mut body: Value) -> Vec<u8> {
        if let (Some(success), Value::Object(fields)) = (self.success(), &mut body) {
            fields.insert("success".to_owned(), success);
        }
        body.to_string().into_bytes()
    }

    fn log_in(&mut self, call: &Call<'_>) -> Answered {
        let body: Value = serde_json::from_slice(call.body).map_err(|_| bad_request("JSON"))?;
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        let shown = (text("username"), text("password"));
        granted(self.desk.log_in(LoginKind::Password, shown, &self.settings, call.now))
    }

    fn log_in_legacy(&mut self, call: &Call<'_>) -> Answered {
        let parameters = Parameters(route::parameters(call.query));
        let text = |key: &str| parameters.get(key).unwrap_or_default();
        let shown = (text("username"), text("password"));
        granted(self.desk.log_in(LoginKind::Legacy, shown, &self.settings, call.now))
    }

    fn refresh(&mut self, call: &Call<'_>) -> Answered {
        if !call.body.is_empty() {
            return Err(bad_request("the body is to be empty"));
        }
        granted(self.desk.refresh(call.authorization, &self.settings, call.now))
    }

    fn describe(&self, feature: Feature) -> Vec<u8> {
        let column = |column: &Described| match self.settings.desc {
            DescShape::Objects => json!({ "name": column.name, "alias": column.alias }),
            DescShape::Texts => json!(column.name),
        };
        let columns: Vec<Value> = self.plant.table(feature).schema.columns.iter().map(column).collect();
        json!({ "columns": columns }).to_string().into_bytes()
    }

    fn get(&mut self, feature: Feature, parameters: &Parameters, twist: Option<&Twist>) -> Answered {
        let fid: u32 = parameters.number("fid")?.ok_or_else(|| bad_request("fid"))?;
        let found = self.sources(feature).into_iter().find_map(|one| Some((one, *self.plant.get(one, fid)?)));
        let Some((source, mut row)) = found else { return self.not_found() };
        if twist == Some(&Twist::WrongFid) {
            row.fid = row.fid.saturating_add(1);
        }
        let columns = &self.plant.table(feature).schema.columns;
        let mut record = Vec::new();
        self.write_row(columns, &(source, row), twist, &self.pen(), &mut record);
        let (before, after): (&[u8], &[u8]) = match self.settings.record {
            RecordShape::Bare => (b"", b""),
            RecordShape::Record => (b"{\"record\":", b"}"),
            RecordShape::Records => (b"{\"records\":[", b"]}"),
        };
        Ok([before, &record, after].concat())
    }

    fn sources(&self, feature: Feature) -> Vec<Feature> {
        let all = self.settings.every_box_in_splice && feature == Feature::CaixaEmenda;
        if all { Feature::BOXES.to_vec() } else { vec![feature] }
    }

    fn not_found(&self) -> Answered {
        let body = json!({ "success": "false" });
        match self.settings.not_found {
            NotFound::Status404 => Err(Failure { status: 404, body }),
            NotFound::Success => Err(Failure { status: 200, body }),
        }
    }

    fn list(&mut self, feature: Feature, parameters: &Parameters, call: &Call<'_>) -> Answered {
        let columns = self.columns(feature, parameters)?;
        let mut query = self.query(feature, parameters)?;
        if let Some(Twist::Cap { rows }) = call.twist {
            query.limit = query.limit.min(*rows);
        }
        let (times, now) = (self.times(), seconds(call.now));
        query.reversed = self.drifts.play(feature, &mut self.plant, now, &times);
        let mut page = self.plant.list(&query);
        match call.twist {
            Some(Twist::EmptyPage) => page.rows.clear(),
            Some(Twist::ReversedRows) => page.rows.reverse(),
            _ => {}
        }
        Ok(self.write_page(&columns, &page, call.twist))
    }

    /// The columns asked for, which have to be named and known.
    fn columns(&self, feature: Feature, parameters: &Parameters) -> Result<Vec<Described>, Failure> {
        let asked = parameters.get("columns").filter(|asked| !asked.trim().is_empty());
        let asked = asked.ok_or_else(|| failure(400, "COLUNAS_AUSENTES", "columns is required"))?;
        asked.split(',').map(|name| self.column(feature, name)).collect()
    }

    fn column(&self, feature: Feature, name: &str) -> Result<Described, Failure> {
        let found = self.plant.table(feature).schema.find(name.trim()).cloned();
        found.ok_or_else(|| unknown_column(name.trim()))
    }

    fn query(&self, feature: Feature, parameters: &Parameters) -> Result<Query, Failure> {
        let cap = self.settings.list_cap.unwrap_or(usize::MAX);
        let limit = parameters.number("limit")?.unwrap_or(usize::MAX).min(cap);
        let start = parameters.number("start")?.filter(|_| self.settings.start_supported).unwrap_or(0);
        let filter = self.filter(feature, parameters.get("filter").unwrap_or_default())?;
        let names = parameters.get("sorter").unwrap_or_default().split(',').filter(|name| !name.is_empty());
        let sorter = names
            .map(|name| self.column(feature, name).map(|column| column.key))
            .collect::<Result<Vec<Key>, Failure>>()?;
        let every_box = self.settings.every_box_in_splice;
        Ok(Query { feature, every_box, filter, sorter, start, limit, reversed: false })
    }

    fn filter(&self, feature: Feature, text: &str) -> Result<Option<filter::Filter>, Failure> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let schema = &self.plant.table(feature).schema;
        let read = filter::read(text, schema, &self.times()).map_err(|fault| match fault {
            filter::Fault::Column(name) => unknown_column(&name),
            filter::Fault::Grammar(text) => failure(400, "FILTRO_INVALIDO", text),
        })?;
        let keyset = read.clone().conjuncts().iter().any(|part| {
            matches!(
                part,
                filter::Filter::Test(Key::Known(Source::Fid), filter::Test::Compare(filter::Op::Greater, _))
            )
        });
        if keyset && self.settings.refuses_keyset {
            return Err(failure(400, "FILTRO_INVALIDO", "fid"));
        }
        Ok(Some(read))
    }

    fn write_page(&self, columns: &[Described], page: &Page, twist: Option<&Twist>) -> Vec<u8> {
        // Rows of this service have about this many bytes per column.
        let mut out = Vec::with_capacity(64 + page.rows.len() * columns.len() * 32);
        let key = match twist {
            Some(Twist::Wrapper { key }) => key,
            _ => "records",
        };
        let bare = twist == Some(&Twist::BareArray);
        if !bare {
            out.push(b'{');
            self.write_total(page.total, twist, &mut out);
            quoted(key, &mut out);
            out.push(b':');
        }
        self.write_rows(columns, page, twist, &mut out);
        if !bare {
            out.push(b'}');
        }
        out
    }

    fn write_total(&self, total: usize, twist: Option<&Twist>, out: &mut Vec<u8>) {
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let (token, text) = match twist {
            Some(Twist::NoTotal) => return,
            Some(Twist::TotalText { text }) => (text.clone(), true),
            Some(Twist::Total { by }) => (total.saturating_add(*by).to_string(), false),
            _ => (total.to_string(), self.settings.total == Numbers::Text),
        };
        out.extend_from_slice(b"\"total\":");
        if text || self.settings.total == Numbers::Text {
            quoted(&token, out);
        } else {
            out.extend_from_slice(token.as_bytes());
        }
        out.push(b',');
    }

    fn write_rows(&self, columns: &[Described], page: &Page, twist: Option<&Twist>, out: &mut Vec<u8>) {
        let pen = self.pen();
        out.push(b'[');
        for (number, row) in page.rows.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            if number == 0 && twist == Some(&Twist::RowNotObject) {
                out.push(b'1');
            } else {
                self.write_row(columns, row, twist, &pen, out);
            }
        }
        out.push(b']');
    }

    fn write_row(
        &self,
        columns: &[Described],
        row: &(Feature, Row),
        twist: Option<&Twist>,
        pen: &Pen,
        out: &mut Vec<u8>,
    ) {
        out.push(b'{');
        let mut first = true;
        let mut put = |name: &str, key: Key, out: &mut Vec<u8>| {
            let start = out.len();
            if !first {
                out.push(b',');
            }
            if pen.write(name, &self.plant.value(row, key), out) {
                first = false;
            } else {
                out.truncate(start);
            }
        };
        for (number, column) in columns.iter().enumerate() {
            let is_fid = column.key == Key::Known(Source::Fid);
            if is_fid && twist == Some(&Twist::NoFid) {
                continue;
            }
            put(&column.name, column.key, out);
            if number == 0 && twist == Some(&Twist::DoubledColumn) {
                put(&column.name.to_uppercase(), column.key, out);
            }
        }
        out.push(b'}');
    }

    /// Where V1 and V2 look, and how far; none if the address is unknown.
    fn place(&self, parameters: &Parameters) -> Result<Option<Circle>, Failure> {
        let radius: f64 = parameters.number("raio")?.ok_or_else(|| bad_request("raio"))?;
        let place = match parameters.get("endereco") {
            Some(text) => self.addresses.get(&address_key(text)).copied(),
            None => {
                let latitude = parameters.number("latitude")?.ok_or_else(|| bad_request("latitude"))?;
                Some((latitude, parameters.number("longitude")?.ok_or_else(|| bad_request("longitude"))?))
            }
        };
        Ok(place.map(|centre| Circle { centre, radius }))
    }

    fn unknown_address(&self) -> Result<Vec<Value>, Failure> {
        match self.settings.unknown_address {
            UnknownAddress::Empty => Ok(Vec::new()),
            UnknownAddress::Refused => Err(failure(200, "ENDERECO", "Endereço não encontrado")),
        }
    }

    fn boxes(&self, parameters: &Parameters, twist: Option<&Twist>) -> Answered {
        let boxes = match self.place(parameters)? {
            None => self.unknown_address()?,
            Some(Circle { centre, radius }) => {
                let near = self.plant.around(&self.settings.feasibility_features, centre, radius);
                near.iter().map(|near| self.plant.box_of_v1(near, &self.settings)).collect()
            }
        };
        let bare = self.settings.boxes == BoxesShape::Bare;
        Ok(self.wrapped((!bare).then_some("caixas"), boxes, twist))
    }

    fn facilities(&self, parameters: &Parameters, twist: Option<&Twist>) -> Answered {
        let asked = |feature: &Feature| parameters.get(feature.segment()) == Some("1");
        let wanted: Vec<Feature> = Feature::ALL.into_iter().filter(asked).collect();
        let found = match self.place(parameters)? {
            None => self.unknown_address()?,
            Some(Circle { centre, radius }) => {
                let near = self.plant.around(&wanted, centre, radius);
                near.iter().map(|near| self.plant.facility(near, &self.settings)).collect()
            }
        };
        let key = match self.settings.facilities {
            FacilitiesShape::Bare => None,
            FacilitiesShape::Facilidades => Some("facilidades"),
            FacilitiesShape::Records => Some("records"),
            FacilitiesShape::Caixas => Some("caixas"),
        };
        Ok(self.wrapped(key, found, twist))
    }

    fn wrapped(&self, key: Option<&str>, list: Vec<Value>, twist: Option<&Twist>) -> Vec<u8> {
        let key = match twist {
            Some(Twist::Wrapper { key }) => Some(key.as_str()),
            Some(Twist::BareArray) => None,
            _ => key,
        };
        let list = Value::Array(list);
        match key {
            Some(key) => self.succeeded(json!({ key: list })),
            None => list.to_string().into_bytes(),
        }
    }

    fn cable(&self, body: &[u8]) -> Answered {
        let body: Value = serde_json::from_slice(body).map_err(|_| bad_request("JSON"))?;
        let number = |key: &str| body.get(key).and_then(Value::as_f64).ok_or_else(|| bad_request(key));
        let (place, radius) = ((number("latitude")?, number("longitude")?), number("raio_metros")?);
        let exists = !self.plant.around(&[Feature::LanceCabo], place, radius).is_empty();
        Ok(self.succeeded(json!({ "existe_lance_cabo": exists })))
    }

    /// Every value of an element by column name, as a test reads it back.
    pub(super) fn element(&self, feature: Feature, fid: u32) -> Option<Value> {
        let row = (feature, *self.plant.get(feature, fid)?);
        let pen = self.pen();
        let columns = &self.plant.table(feature).schema.columns;
        let value = |column: &Described| (column.name.clone(), pen.json(&self.plant.value(&row, column.key)));
        Some(Value::Object(columns.iter().map(value).collect()))
    }
}

fn unknown_column(name: &str) -> Failure {
    let mut unknown = failure(400, "COLUNA_DESCONHECIDA", format!("Coluna desconhecida: {name}"));
    if let Value::Object(fields) = &mut unknown.body {
        fields.insert("coluna".to_owned(), json!(name));
    }
    unknown
}

fn granted(granted: Option<Granted>) -> Answered {
    let granted = granted.ok_or_else(|| failure(401, "CREDENCIAIS", "Usuário ou senha inválidos"))?;
    let mut body = json!({ "token": granted.token });
    if let (Some(refresh), Value::Object(fields)) = (granted.refresh, &mut body) {
        fields.insert("refreshToken".to_owned(), json!(refresh));
    }
    Ok(body.to_string().into_bytes())
}

/// The moment as rows have it.
pub(super) fn seconds(moment: Moment) -> u32 {
    u32::try_from(moment.epoch().max(0)).unwrap_or(u32::MAX)
}
