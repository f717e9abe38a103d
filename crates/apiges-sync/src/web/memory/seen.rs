//! What a viewer sees (contract 4.3 steps 1 and 6, W33): by active grants only, and in a union only what all of them show.

use std::collections::BTreeMap;

use super::super::{ContactRef, View, Viewer, ViewerFile, ViewerFiles};
use super::denial::Denial;
use super::portal::{Held, Portal, Shown};

impl Portal {
    /// W33
    pub(super) fn view(&self, viewer: &Viewer) -> Result<ViewerFiles, Denial> {
        let mut reached: BTreeMap<u64, Vec<(&ContactRef, &Held)>> = BTreeMap::new();
        for grant in self.grants_of(viewer)? {
            self.visible(grant).for_each(|(case, held)| reached.entry(case).or_default().push((grant, held)));
        }
        let items = reached.into_iter().filter_map(|(case, held)| self.file(case, &held)).collect();
        Ok(ViewerFiles { items })
    }

    /// The active grants of a viewer, by kind and code; 404 for a contact without any. A union of nobody sees nothing.
    fn grants_of(&self, viewer: &Viewer) -> Result<Vec<&ContactRef>, Denial> {
        let grants: Vec<&ContactRef> = match viewer {
            Viewer::Contact(contact) => vec![&self.grant(contact)?.contact],
            Viewer::Union(tag) => self.members(tag).map(|grant| &grant.contact).collect(),
        };
        let mut active: Vec<_> = grants.into_iter().filter(|grant| self.is_active(grant)).collect();
        active.sort_by_key(|grant| (grant.kind().as_str(), grant.code()));
        Ok(active)
    }

    /// Whether a contact sees a case by its own access.
    pub(super) fn sees(&self, contact: &ContactRef, case: u64) -> bool {
        self.is_active(contact) && self.held(contact, case).is_some_and(|held| held.view().is_some())
    }

    /// The view of the first of several grants, so that its language is the same for all files, without the fields that one of the
    /// others does not show.
    fn file(&self, case: u64, held: &[(&ContactRef, &Held)]) -> Option<ViewerFile> {
        let (_, first) = held.first()?;
        let Shown::Visible { holder, view } = &first.shown else { return None };
        let views = held.iter().filter_map(|(_, held)| held.view());
        let view = views.fold((**view).clone(), |view, other| common(view, &other.present()));
        let grants: Vec<ContactRef> = held.iter().map(|(grant, _)| (*grant).clone()).collect();
        let (holder, version) = (Some(holder.clone()), Some(first.version));
        let documents = self.documents_seen(case, &grants);
        Some(ViewerFile { case_id: case, version, holder, view, grants, documents })
    }
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
