//! Which table an element stands in, and its columns there.

use crate::sync::kind::Shelf;

/// A table of elements.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Whether several kinds with ranges of `fid` of their own stand in it: the kind then belongs to the key.
    pub(crate) by_kind: bool,
    /// The columns that only some tables have, by the element's field: parent, role, ports, free ports, document, contract, port.
    pub(crate) own: [Option<&'static str>; 7],
}

pub(crate) const fn table(shelf: Shelf) -> Table {
    match shelf {
        Shelf::Splitter => Table {
            name: "geosite_splitters",
            by_kind: false,
            own: [Some("box_fid"), Some("role"), Some("ports"), Some("free_ports"), None, None, None],
        },
        Shelf::Box => Table {
            name: "geosite_boxes",
            by_kind: false,
            own: [None, None, Some("ports"), Some("free_ports"), None, None, None],
        },
        Shelf::Cliente => Table {
            name: "geosite_customers",
            by_kind: false,
            own: [Some("splitter_fid"), None, None, None, Some("document"), Some("contract"), Some("port")],
        },
        Shelf::Estacao | Shelf::LanceCabo | Shelf::Poste => {
            Table { name: "geosite_elements", by_kind: true, own: [None; 7] }
        }
    }
}

impl Table {
    /// What the key's columns are besides the integration.
    pub(crate) fn key(&self) -> &'static str {
        if self.by_kind { "integration, kind, fid" } else { "integration, fid" }
    }

    /// Restricts a query to one shelf of a shared table.
    pub(crate) fn only(&self, shelf: Shelf) -> String {
        if self.by_kind { format!(" AND kind = '{}'", shelf.name()) } else { String::new() }
    }

    /// Every column of an element in the order of [`super::sql`]'s reading, with typed nulls for those that it lacks.
    pub(crate) fn columns(&self) -> String {
        let types = ["BIGINT", "TEXT", "BIGINT", "BIGINT", "TEXT", "TEXT", "BIGINT"];
        let own = self.own.iter().zip(types);
        let own: Vec<String> = own
            .map(|(column, sort)| column.map_or_else(|| format!("CAST(NULL AS {sort})"), str::to_owned))
            .collect();
        format!(
            "fid, kind, code, name, latitude_e7, longitude_e7, {}, changed_at, extra, flag, run, tombstoned_at, tombstone_reason",
            own.join(", ")
        )
    }
}
