//! Catalogues, and what their values are called in the seven languages (P2, section 2.1).
//!
//! Codes other than those of section 3.4 (C, A, B, M) are made up; so are all descriptions.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A language of descriptions (`accept-language`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Spanish, the default.
    #[default]
    Es,
    /// French.
    Fr,
    /// Portuguese.
    Pt,
    /// Catalan.
    Ca,
    /// German.
    De,
    /// English.
    En,
    /// Italian.
    It,
}

impl Lang {
    /// Every language, in the contract's order.
    pub const ALL: [Self; 7] = [Self::Es, Self::Fr, Self::Pt, Self::Ca, Self::De, Self::En, Self::It];

    /// The code, such as `es`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Es => "es",
            Self::Fr => "fr",
            Self::Pt => "pt",
            Self::Ca => "ca",
            Self::De => "de",
            Self::En => "en",
            Self::It => "it",
        }
    }

    /// The language of a code or a tag such as `en-GB`.
    #[must_use]
    pub fn named(tag: &str) -> Option<Self> {
        let code = tag.split(['-', ',', ';']).next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|lang| lang.code().eq_ignore_ascii_case(code))
    }
}

type Named = (&'static str, [&'static str; 7]);

const MODALITIES: [Named; 7] = [
    (
        "M",
        [
            "Marca Nacional",
            "Marque nationale",
            "Marca nacional",
            "Marca nacional",
            "Nationale Marke",
            "National trademark",
            "Marchio nazionale",
        ],
    ),
    (
        "N",
        [
            "Nombre Comercial",
            "Nom commercial",
            "Nome comercial",
            "Nom comercial",
            "Handelsname",
            "Trade name",
            "Nome commerciale",
        ],
    ),
    (
        "E",
        [
            "Marca de la Unión Europea",
            "Marque de l'Union européenne",
            "Marca da União Europeia",
            "Marca de la Unió Europea",
            "Unionsmarke",
            "European Union trademark",
            "Marchio dell'Unione europea",
        ],
    ),
    (
        "W",
        [
            "Marca Internacional",
            "Marque internationale",
            "Marca internacional",
            "Marca internacional",
            "Internationale Marke",
            "International trademark",
            "Marchio internazionale",
        ],
    ),
    ("P", ["Patente", "Brevet", "Patente", "Patent", "Patent", "Patent", "Brevetto"]),
    (
        "U",
        [
            "Modelo de Utilidad",
            "Modèle d'utilité",
            "Modelo de utilidade",
            "Model d'utilitat",
            "Gebrauchsmuster",
            "Utility model",
            "Modello di utilità",
        ],
    ),
    (
        "D",
        [
            "Diseño Industrial",
            "Dessin industriel",
            "Desenho industrial",
            "Disseny industrial",
            "Design",
            "Industrial design",
            "Disegno industriale",
        ],
    ),
];
const STATES: [Named; 2] = [
    ("A", ["Alta", "Actif", "Ativo", "Alta", "Aktiv", "Active", "Attivo"]),
    ("B", ["Baja", "Clos", "Baixa", "Baixa", "Geschlossen", "Closed", "Chiuso"]),
];
const COUNTRIES: [Named; 6] = [
    ("ES", ["España", "Espagne", "Espanha", "Espanya", "Spanien", "Spain", "Spagna"]),
    ("PT", ["Portugal", "Portugal", "Portugal", "Portugal", "Portugal", "Portugal", "Portogallo"]),
    ("FR", ["Francia", "France", "França", "França", "Frankreich", "France", "Francia"]),
    ("BR", ["Brasil", "Brésil", "Brasil", "Brasil", "Brasilien", "Brazil", "Brasile"]),
    ("DE", ["Alemania", "Allemagne", "Alemanha", "Alemanya", "Deutschland", "Germany", "Germania"]),
    (
        "EM",
        [
            "Unión Europea",
            "Union européenne",
            "União Europeia",
            "Unió Europea",
            "Europäische Union",
            "European Union",
            "Unione europea",
        ],
    ),
];
const SITUATIONS: [Named; 4] = [
    ("S", ["Solicitada", "Demandée", "Solicitada", "Sol·licitada", "Angemeldet", "Filed", "Richiesta"]),
    ("P", ["Publicada", "Publiée", "Publicada", "Publicada", "Veröffentlicht", "Published", "Pubblicata"]),
    ("C", ["Concedida", "Délivrée", "Concedida", "Concedida", "Erteilt", "Granted", "Concessa"]),
    (
        "O",
        [
            "En oposición",
            "En opposition",
            "Em oposição",
            "En oposició",
            "Im Widerspruch",
            "Opposed",
            "In opposizione",
        ],
    ),
];
const KINDS: [Named; 8] = [
    ("C", ["Cliente", "Client", "Cliente", "Client", "Mandant", "Client", "Cliente"]),
    (
        "I",
        [
            "Intermediario",
            "Intermédiaire",
            "Intermediário",
            "Intermediari",
            "Vermittler",
            "Intermediary",
            "Intermediario",
        ],
    ),
    ("A", ["Agente", "Agent", "Agente", "Agent", "Vertreter", "Agent", "Agente"]),
    ("P", ["Proveedor", "Fournisseur", "Fornecedor", "Proveïdor", "Lieferant", "Supplier", "Fornitore"]),
    ("T", ["Traductor", "Traducteur", "Tradutor", "Traductor", "Übersetzer", "Translator", "Traduttore"]),
    ("N", ["Inventor", "Inventeur", "Inventor", "Inventor", "Erfinder", "Inventor", "Inventore"]),
    ("O", ["Oponente", "Opposant", "Oponente", "Oponent", "Widersprechender", "Opponent", "Opponente"]),
    ("L", ["Abogado", "Avocat", "Advogado", "Advocat", "Anwalt", "Lawyer", "Avvocato"]),
];
const DESCRIPTIONS: [Named; 2] = [
    (
        "D",
        [
            "Denominación",
            "Dénomination",
            "Denominação",
            "Denominació",
            "Bezeichnung",
            "Name",
            "Denominazione",
        ],
    ),
    ("P", ["Productos", "Produits", "Produtos", "Productes", "Waren", "Goods", "Prodotti"]),
];
const FILTERS: [Named; 2] = [
    ("EQ", ["Igual a", "Égal à", "Igual a", "Igual a", "Gleich", "Equal to", "Uguale a"]),
    ("BT", ["Entre", "Entre", "Entre", "Entre", "Zwischen", "Between", "Tra"]),
];
const LANGUAGES: [Named; 7] = [
    ("es", ["Español", "Espagnol", "Espanhol", "Castellà", "Spanisch", "Spanish", "Spagnolo"]),
    ("fr", ["Francés", "Français", "Francês", "Francès", "Französisch", "French", "Francese"]),
    ("pt", ["Portugués", "Portugais", "Português", "Portuguès", "Portugiesisch", "Portuguese", "Portoghese"]),
    ("ca", ["Catalán", "Catalan", "Catalão", "Català", "Katalanisch", "Catalan", "Catalano"]),
    ("de", ["Alemán", "Allemand", "Alemão", "Alemany", "Deutsch", "German", "Tedesco"]),
    ("en", ["Inglés", "Anglais", "Inglês", "Anglès", "Englisch", "English", "Inglese"]),
    ("it", ["Italiano", "Italien", "Italiano", "Italià", "Italienisch", "Italian", "Italiano"]),
];
const CLASS: [&str; 7] = ["Clase", "Classe", "Classe", "Classe", "Klasse", "Class", "Classe"];
const GOODS: [&str; 7] = [
    "Productos de las clases",
    "Produits des classes",
    "Produtos das classes",
    "Productes de les classes",
    "Waren der Klassen",
    "Goods in classes",
    "Prodotti delle classi",
];

/// Catalogues whose only property is that they are lists of pairs.
const PLAIN: [(&str, &[&str]); 22] = [
    ("acciones", &["Llamada", "Visita"]),
    ("cargos", &["Director", "Administrativo"]),
    ("codigos/postales", &["28001", "08001"]),
    ("companias", &["Compañía Uno"]),
    ("departamentos", &["Marcas", "Patentes"]),
    ("empresas", &["Empresa Uno", "Empresa Dos"]),
    ("estados/facturas", &["Pendiente", "Cobrada"]),
    ("estados/tareas", &["Pendiente", "Hecha"]),
    ("formas/fiscales", &["Nacional", "Intracomunitario"]),
    ("formas/juridicas", &["S.L.", "S.A."]),
    ("formas/pago", &["Transferencia", "Recibo"]),
    ("monedas", &["Euro", "Dólar"]),
    ("nacionalidades", &["Española", "Portuguesa"]),
    ("secciones", &["General"]),
    ("situaciones/expedientes/prioridadesAntiguedades", &["Reivindicada", "Aceptada"]),
    ("tarifas", &["Tarifa general"]),
    ("tasas", &["Tasa de solicitud"]),
    ("tipos/anotaciones", &["Carta", "Correo"]),
    ("tipos/clases", &["Niza", "Locarno"]),
    ("tipos/domicilios", &["Fiscal", "Correspondencia"]),
    ("tipos/gastos", &["Viaje"]),
    ("tipos/potenciales", &["Alto"]),
];
const MORE_PLAIN: [(&str, &[&str]); 4] = [
    ("tipos/estados/factura", &["Borrador", "Emitida"]),
    ("tipos/expediente/PrioridadesAntiguedades", &["Prioridad", "Antigüedad"]),
    ("tipos/riesgos", &["Normal", "Alto"]),
    ("divisiones", &["División Uno"]),
];

/// What the routes of translated catalogues are called.
fn translated(route: &str) -> Option<&'static [Named]> {
    Some(match route {
        "modalidades" => &MODALITIES,
        "estados" => &STATES,
        "paises" => &COUNTRIES,
        "tipos/contactos" => &KINDS,
        "tipos/descripciones" => &DESCRIPTIONS,
        "filtros" => &FILTERS,
        "idiomas/descripciones" => &LANGUAGES,
        "situaciones" => &SITUATIONS,
        _ => return None,
    })
}

fn plain(route: &str) -> Option<&'static [&'static str]> {
    PLAIN.iter().chain(&MORE_PLAIN).find(|(name, _)| *name == route).map(|(_, values)| *values)
}

/// Whether a path is a catalogue of section 3.3.
pub(super) fn is_catalogue(route: &str) -> bool {
    let inner = ["situaciones", "divisiones"].contains(&route);
    !inner && (route == "clases" || translated(route).is_some() || plain(route).is_some())
}

/// A catalogue as a list of pairs.
pub(super) fn catalogue(route: &str, lang: Lang) -> Value {
    if route == "clases" {
        return (1..=45).map(|class| pair("clases", &class.to_string(), lang)).collect();
    }
    if let Some(named) = translated(route) {
        return named.iter().map(|(code, _)| pair(route, code, lang)).collect();
    }
    let values = plain(route).unwrap_or_default();
    (1..=values.len()).map(|number| pair(route, &number.to_string(), lang)).collect()
}

/// A value of a catalogue as a pair; unknown codes keep their code for a description.
pub(super) fn pair(route: &str, code: &str, lang: Lang) -> Value {
    json!({ "codigo": code, "descripcion": described(route, code, lang) })
}

fn described(route: &str, code: &str, lang: Lang) -> String {
    if route == "clases" {
        return format!("{} {code}", word(&CLASS, lang));
    }
    let named = translated(route).and_then(|named| named.iter().find(|(own, _)| *own == code));
    if let Some((_, names)) = named {
        return word(names, lang).to_owned();
    }
    let number = code.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let plain = number.and_then(|at| plain(route)?.get(at));
    plain.map_or_else(|| code.to_owned(), |name| (*name).to_owned())
}

fn word<'a>(words: &[&'a str; 7], lang: Lang) -> &'a str {
    let place = Lang::ALL.iter().position(|other| *other == lang).unwrap_or(0);
    words.get(place).copied().unwrap_or_default()
}

/// A sentence about classes, in a language.
pub(super) fn goods(classes: &[String], lang: Lang) -> String {
    format!("{} {}", word(&GOODS, lang), classes.join(", "))
}

/// Modalities that the generator draws from.
pub(super) fn modality(at: usize) -> &'static str {
    MODALITIES.get(at % MODALITIES.len()).map_or("M", |(code, _)| code)
}

/// Countries that the generator draws from.
pub(super) fn country(at: usize) -> &'static str {
    COUNTRIES.get(at % COUNTRIES.len()).map_or("ES", |(code, _)| code)
}

/// Situations that the generator draws from.
pub(super) fn situation(at: usize) -> &'static str {
    SITUATIONS.get(at % SITUATIONS.len()).map_or("S", |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 3.3, letter by letter.
    const ROUTES: &str = "acciones cargos clases codigos/postales companias departamentos empresas estados \
        estados/facturas estados/tareas filtros formas/fiscales formas/juridicas formas/pago idiomas/descripciones \
        modalidades monedas nacionalidades paises secciones situaciones/expedientes/prioridadesAntiguedades tarifas \
        tasas tipos/anotaciones tipos/clases tipos/contactos tipos/descripciones tipos/domicilios \
        tipos/estados/factura tipos/expediente/PrioridadesAntiguedades tipos/gastos tipos/potenciales tipos/riesgos";

    #[test]
    fn every_catalogue_of_the_contract_is_a_list_of_pairs() {
        for route in ROUTES.split_whitespace() {
            assert!(is_catalogue(route), "{route}");
            let list = catalogue(route, Lang::Es);
            assert!(list[0]["codigo"].is_string() && list[0]["descripcion"].is_string(), "{route}");
        }
        assert!(!is_catalogue("tipos/expediente/prioridadesAntiguedades"));
        assert!(!is_catalogue("situaciones"));
    }

    #[test]
    fn descriptions_follow_the_language() {
        assert_eq!(pair("modalidades", "M", Lang::Es)["descripcion"], "Marca Nacional");
        assert_eq!(pair("estados", "B", Lang::Es)["descripcion"], "Baja");
        assert_eq!(pair("modalidades", "M", Lang::De)["descripcion"], "Nationale Marke");
        assert_eq!(pair("modalidades", "Z9", Lang::De)["descripcion"], "Z9");
        assert_eq!(Lang::named("en-GB,en;q=0.8"), Some(Lang::En));
        assert_eq!(Lang::named("ja"), None);
    }
}
