//! What a viewer sees (contract 4.3 steps 1 and 6, W33): by active grants only, and in a union only what all of them show.

use std::collections::BTreeMap;

use super::super::{ContactRef, View, Viewer, ViewerFile, ViewerFiles};
use super::denial::Denial;
use super::portal::{Held, Portal};

impl Portal {
    /// W33
    pub(super) fn view(&self, viewer: &Viewer) -> Result<ViewerFiles, Denial> {
        let grants = self.grants_of(viewer)?;
        let mut reached: BTreeMap<u64, Vec<&Held>> = BTreeMap::new();
        for grant in grants {
            self.visible(grant).for_each(|(case, held)| reached.entry(case).or_default().push(held));
        }
        let items = reached.into_iter().filter_map(|(case, held)| file(case, &held)).collect();
        Ok(ViewerFiles { items })
    }

    /// The active grants of a viewer; 404 if there is none at all, active or not.
    fn grants_of(&self, viewer: &Viewer) -> Result<Vec<&ContactRef>, Denial> {
        let grants: Vec<&ContactRef> = match viewer {
            Viewer::Contact(contact) => vec![&self.grant(contact)?.contact],
            Viewer::Union(tag) => self.members(tag).map(|grant| &grant.contact).collect(),
        };
        if grants.is_empty() {
            return Err(Denial::not_found());
        }
        Ok(grants.into_iter().filter(|grant| self.is_active(grant)).collect())
    }

    /// Whether a contact sees a case by its own access.
    pub(super) fn sees(&self, contact: &ContactRef, case: u64) -> bool {
        self.is_active(contact) && self.held(contact, case).is_some_and(|held| held.view().is_some())
    }
}

/// The newest of several views, without the fields that one of them does not show.
fn file(case: u64, held: &[&Held]) -> Option<ViewerFile> {
    let newest = held.iter().max_by_key(|held| held.version)?;
    let views = held.iter().filter_map(|held| held.view());
    let view = views.fold(newest.view()?.clone(), |view, other| common(view, &other.present()));
    Some(ViewerFile { case_id: case, version: Some(newest.version), view })
}

/// The fields of `view` that are among those `present`.
fn common(view: View, present: &[&str]) -> View {
    let keep = |name: &str| present.contains(&name);
    View {
        modalidad: view.modalidad.filter(|_| keep("modalidad")),
        numero: view.numero.filter(|_| keep("numero")),
        bis: view.bis.filter(|_| keep("bis")),
        pais: view.pais.filter(|_| keep("pais")),
        denominacion: view.denominacion.filter(|_| keep("denominacion")),
        clases: if keep("clases") { view.clases } else { Vec::new() },
        fecha_vencimiento: view.fecha_vencimiento.filter(|_| keep("fechaVencimiento")),
        estado: view.estado.filter(|_| keep("estado")),
        situacion: if keep("situacion") { view.situacion } else { Vec::new() },
        descripciones: if keep("descripciones") { view.descripciones } else { Vec::new() },
        grafico: view.grafico.filter(|_| keep("grafico")),
        referencia: view.referencia.filter(|_| keep("referencia")),
        referencia2: view.referencia2.filter(|_| keep("referencia2")),
        referencia3: view.referencia3.filter(|_| keep("referencia3")),
        clave: view.clave.filter(|_| keep("clave")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_field_stays_or_goes_by_its_own_name() {
        let hex = "ab".repeat(32);
        let full: View = serde_json::from_value(json!({
            "modalidad": {"codigo": "M"}, "numero": "1", "bis": "1", "pais": {"codigo": "ES"}, "denominacion": "d",
            "clases": ["3"], "fechaVencimiento": "20/06/2025", "estado": {"codigo": "A"},
            "situacion": [{"codigo": "12"}], "descripciones": [{"descripcion": "x"}],
            "grafico": {"sha256": hex, "mediaType": "image/png", "bytes": 4},
            "referencia": "1", "referencia2": "2", "referencia3": "3", "clave": "k"
        }))
        .unwrap();
        assert_eq!(full.present().len(), 15);
        assert_eq!(common(full.clone(), &full.present()), full);
        for name in full.present() {
            assert_eq!(common(full.clone(), &[name]).present(), [name]);
        }
    }
}
