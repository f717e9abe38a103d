//! A firm in memory, and an engine between it and the portal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apiges_sync::grant::{HolderRole, WebGrant};
use apiges_sync::sync::*;
use apiges_sync::visible::CaseFacts;
use apiges_sync::web::*;
use apiges_sync::{Clock, Error, ErrorKind, Lang, ManualClock, Timestamp};
use integration_store::{Backend, Memory, Store};
use tokio::sync::Semaphore;

use super::fuse::{Fuse, Fused};
use super::portal::Portal;

#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) files: BTreeMap<u64, CaseFacts>,
    pub(crate) graphics: BTreeMap<u64, Vec<u8>>,
    pub(crate) incomplete: bool,
    pub(crate) failures: usize,
    pub(crate) reads: usize,
    /// A file of which nothing is ever said.
    pub(crate) silent: Option<u64>,
    /// Files that lists do not name.
    pub(crate) unlisted: Vec<u64>,
    /// The picture that a file gets as soon as it is asked for in a language.
    pub(crate) next_picture: Option<(u64, Lang, Vec<u8>)>,
    /// Whether every picture that is fetched is another than the file's.
    pub(crate) fleeting: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Firm(pub(crate) Arc<Mutex<Files>>);

impl Firm {
    pub(crate) fn put(&self, file: CaseFacts) {
        self.0.lock().unwrap().files.insert(file.case_id, file);
    }

    pub(crate) fn edit(&self, id: u64, edit: impl FnOnce(&mut CaseFacts)) {
        edit(self.0.lock().unwrap().files.get_mut(&id).unwrap());
    }

    pub(crate) fn graphic(&self, id: u64, bytes: &[u8]) {
        let mut files = self.0.lock().unwrap();
        files.graphics.insert(id, bytes.to_vec());
        let graphic = Graphic {
            sha256: Sha256::of(bytes),
            media_type: "image/png".to_owned(),
            bytes: bytes.len() as u64,
        };
        files.files.get_mut(&id).unwrap().full.grafico = Some(graphic);
    }

    fn failing(&self) -> Result<(), Error> {
        let mut files = self.0.lock().unwrap();
        if files.failures > 0 {
            files.failures -= 1;
            return Err(Error::new(ErrorKind::Timeout, "firm"));
        }
        Ok(())
    }
}

impl CaseSource for Firm {
    fn case(&self, id: u64, lang: Lang) -> Asked<'_, Option<CaseFacts>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.failing()?;
            if self.0.lock().unwrap().silent == Some(id) {
                std::future::pending::<()>().await;
            }
            let next = self.0.lock().unwrap().next_picture.take_if(|next| (next.0, next.1) == (id, lang));
            if let Some((id, _, bytes)) = next {
                self.graphic(id, &bytes);
            }
            let mut files = self.0.lock().unwrap();
            files.reads += 1;
            let mut file = files.files.get(&id).cloned();
            if let Some(file) = &mut file {
                file.full.descripciones =
                    vec![Description { tipo: None, descripcion: format!("{} in {lang:?}", file.case_id) }];
            }
            Ok(file)
        })
    }

    fn held_by(&self, role: HolderRole, contact_id: u64) -> Asked<'_, CaseList> {
        Box::pin(async move {
            self.failing()?;
            let files = self.0.lock().unwrap();
            let held = files.files.values().filter(|file| file.holder(role) == Some(contact_id));
            let ids = held.map(|file| file.case_id).filter(|id| !files.unlisted.contains(id)).collect();
            Ok(CaseList { ids, complete: !files.incomplete })
        })
    }

    fn graphic(&self, id: u64) -> Asked<'_, Option<Blob>> {
        Box::pin(async move {
            let files = self.0.lock().unwrap();
            let bytes =
                if files.fleeting { Some(b"another".to_vec()) } else { files.graphics.get(&id).cloned() };
            Ok(bytes.map(|bytes| Blob::bytes("image/png", bytes)))
        })
    }
}

/// Everything that survives the engine.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) portal: Portal,
    pub(crate) firm: Firm,
    pub(crate) groups: SharedGroups,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) clock: ManualClock,
    pub(crate) settings: Settings,
}

pub(crate) fn world() -> World {
    let clock = ManualClock::new().with_random(1.0);
    clock.advance(Duration::from_secs(1_000_000));
    World {
        portal: Portal::default(),
        firm: Firm::default(),
        groups: SharedGroups::default(),
        backend: Arc::new(Memory::with_clock(Arc::new(clock.clone()))),
        clock,
        settings: Settings::default(),
    }
}

impl World {
    pub(crate) fn engine(&self) -> WebSync {
        self.engine_with(&Fuse::default())
    }

    pub(crate) fn engine_with(&self, fuse: &Fuse) -> WebSync {
        self.engine_over(Fused::new(&self.backend, fuse), fuse)
    }

    /// An engine over a store that does one thing at a time, in the order of asking.
    pub(crate) fn engine_over_one_connection(&self) -> WebSync {
        let fused = Fused::new(&self.backend, &Fuse::default());
        self.engine_over(Fused { connection: Some(Semaphore::new(1)), ..fused }, &Fuse::default())
    }

    fn engine_over(&self, backend: Fused, fuse: &Fuse) -> WebSync {
        let store = Store::from_backend(backend);
        WebSync::builder()
            .store(&store)
            .transport(self.portal.with_fuse(fuse))
            .cases(self.firm.clone())
            .groups(self.groups.clone())
            .settings(self.settings.clone())
            .clock(Arc::new(self.clock.clone()))
            .build()
            .unwrap()
    }

    pub(crate) fn engine_heard_by(&self, observer: impl Observer) -> WebSync {
        let store = Store::from_backend(Fused::new(&self.backend, &Fuse::default()));
        WebSync::builder()
            .store(&store)
            .transport(self.portal.with_fuse(&Fuse::default()))
            .cases(self.firm.clone())
            .groups(self.groups.clone())
            .settings(self.settings.clone())
            .clock(Arc::new(self.clock.clone()))
            .observer(observer)
            .build()
            .unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Works until nothing is left, however long the pauses.
    pub(crate) async fn settle(&self, sync: &WebSync) {
        for _ in 0..60 {
            sync.drain().await.unwrap();
            if sync.numbers().await.unwrap().pending == 0 {
                return;
            }
            self.clock.advance(Duration::from_secs(301));
        }
        panic!("it never settles: {:?}", sync.numbers().await.unwrap());
    }

    /// Everything that the store holds, as one text.
    pub(crate) async fn dump(&self) -> String {
        let store = Store::from_backend(Fused::new(&self.backend, &Fuse::default()));
        let name = "apiges/demo";
        let mut text = format!("{:?}", store.checkpoints(name).get().await.unwrap());
        for entry in store.outbox(name).list(integration_store::Query::default()).await.unwrap() {
            text += &format!("{entry:?}{:?}", store.outbox(name).history(entry.id).await.unwrap());
        }
        let mut collections =
            vec!["grant".to_owned(), "case".into(), "audit".into(), "load".into(), "scan".into()];
        let grants = store.checkpoints(name).records("grant", None, 500).await.unwrap();
        collections.extend(grants.iter().map(|(contact, _)| format!("held/{contact}")));
        for collection in collections {
            let records = store.checkpoints(name).records(&collection, None, 1000).await.unwrap();
            text += &format!("{collection}: {records:?}");
        }
        text
    }
}

pub(crate) fn client(code: &str) -> ContactRef {
    ContactRef::client(code).unwrap()
}

pub(crate) fn grant(id: u64) -> WebGrant {
    WebGrant::new(client(&id.to_string()), id).activated().unwrap()
}

/// An open mark of client `holder`.
pub(crate) fn file(id: u64, holder: u64) -> CaseFacts {
    let full = View {
        modalidad: Some(Labelled::new("M", "Marca Nacional")),
        numero: Some(format!("M{id}")),
        estado: Some(Labelled::new("A", "Alta")),
        referencia: Some(format!("R1-{id}")),
        referencia2: Some(format!("R2-{id}")),
        referencia3: Some(format!("R3-{id}")),
        clave: Some(format!("K-{id}")),
        ..View::default()
    };
    CaseFacts { case_id: id, client: Some(holder), full, ..CaseFacts::default() }
}

pub(crate) fn modality(file: &mut CaseFacts, code: &str) {
    file.full.modalidad = Some(Labelled::new(code, code));
}

pub(crate) fn close(file: &mut CaseFacts) {
    file.full.estado = Some(Labelled::new("B", "Baja"));
}

pub(crate) fn reopen(file: &mut CaseFacts) {
    file.full.estado = Some(Labelled::new("A", "Alta"));
}
