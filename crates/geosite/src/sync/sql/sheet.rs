//! A sheet: some hundred keys of a shelf with what a comparison needs of each, packed into one value of one row.
//!
//! A row an element costs a compare of a million more than anything else that it does. The rules enforced here: entries ascend; a
//! sheet that is not of whole entries, or names a kind that nobody knows, is damage and never a shorter sheet.

use crate::sync::element::Digest;
use crate::sync::kind::Kind;
use crate::sync::register::Known;

/// Entries of a full sheet.
pub(super) const MOST: usize = 512;

const FID: usize = 8;
const DIGEST: usize = 16;
const ENTRY: usize = FID + DIGEST + 2;

const LIVE: u8 = 1;
const FLAGGED: u8 = 2;

/// The kind in a stored sheet is its place here: append, and change nothing else.
const KINDS: [Kind; 12] = [
    Kind::SplitterAtendimento,
    Kind::SplitterDistribuicao,
    Kind::SplitterUnknown,
    Kind::CaixaEmenda,
    Kind::Cto,
    Kind::Cah,
    Kind::Hub,
    Kind::TerminadorOptico,
    Kind::Estacao,
    Kind::LanceCabo,
    Kind::Poste,
    Kind::Cliente,
];

/// What has become of an element: what is stored of it now, or nothing if it is stored no more.
pub(super) type Change = (i64, Option<Known>);

/// Nothing if a kind has no number yet, which a test forbids.
pub(super) fn pack(entries: &[Known]) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(entries.len().saturating_mul(ENTRY));
    for known in entries {
        let kind = KINDS.iter().position(|kind| *kind == known.kind)?;
        body.extend_from_slice(&known.fid.to_le_bytes());
        body.extend_from_slice(&known.digest);
        let flags = u8::from(known.live) * LIVE + u8::from(known.flagged) * FLAGGED;
        body.extend_from_slice(&[u8::try_from(kind).ok()?, flags]);
    }
    Some(body)
}

/// Appends what a sheet holds above a `fid`, up to so many entries in all. Nothing if it is damaged.
pub(super) fn unpack_above(body: &[u8], above: i64, most: usize, into: &mut Vec<Known>) -> Option<()> {
    let entries = body.chunks_exact(ENTRY);
    if !entries.remainder().is_empty() {
        return None;
    }
    for entry in entries {
        if into.len() >= most {
            return Some(());
        }
        let (fid, rest) = entry.split_first_chunk::<FID>()?;
        let fid = i64::from_le_bytes(*fid);
        if fid > above {
            into.push(known(fid, rest)?);
        }
    }
    Some(())
}

fn known(fid: i64, rest: &[u8]) -> Option<Known> {
    let (digest, rest): (&Digest, _) = rest.split_first_chunk::<DIGEST>()?;
    let [kind, flags] = rest else { return None };
    let kind = KINDS.get(usize::from(*kind))?;
    Some(Known::new(fid, *kind, *digest, flags & LIVE != 0, flags & FLAGGED != 0))
}

/// The entries after changes, both ascending.
pub(super) fn amended(entries: Vec<Known>, changes: &[Change]) -> Vec<Known> {
    let mut all = Vec::with_capacity(entries.len().saturating_add(changes.len()));
    let mut entries = entries.into_iter().peekable();
    for (fid, now) in changes {
        while let Some(before) = entries.next_if(|entry| entry.fid < *fid) {
            all.push(before);
        }
        entries.next_if(|entry| entry.fid == *fid);
        all.extend(*now);
    }
    all.extend(entries);
    all
}

/// As many sheets as are needed, of about the same size: one that is cut has room on both sides.
pub(super) fn cut(entries: &[Known]) -> impl Iterator<Item = &[Known]> {
    let sheets = entries.len().div_ceil(MOST).max(1);
    entries.chunks(entries.len().div_ceil(sheets).max(1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entry(fid: i64, salt: u8) -> Known {
        let kind = KINDS[usize::from(salt) % KINDS.len()];
        Known::new(fid, kind, [salt; DIGEST], salt & 4 != 0, salt & 8 != 0)
    }

    fn unpacked(body: &[u8], above: i64, most: usize) -> Option<Vec<Known>> {
        let mut all = Vec::new();
        unpack_above(body, above, most, &mut all).map(|()| all)
    }

    fn entries() -> impl Strategy<Value = BTreeMap<i64, u8>> {
        prop::collection::btree_map(-3_000..3_000_i64, any::<u8>(), 0..1_500)
    }

    #[test]
    fn every_kind_has_its_number() {
        assert!(Kind::ALL.iter().all(|kind| KINDS.contains(kind)));
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let known = Known::new(0x0102, Kind::Cliente, *b"0123456789abcdef", true, true);
        let body = pack(&[known]).unwrap();
        assert_eq!(body, b"\x02\x01\0\0\0\0\0\x000123456789abcdef\x0b\x03");
    }

    #[test]
    fn damage_is_no_shorter_sheet() {
        let body = pack(&[entry(1, 7), entry(2, 9)]).unwrap();
        assert_eq!(unpacked(&body[..body.len() - 1], i64::MIN, 9), None);
        let mut unknown = body.clone();
        unknown[FID + DIGEST] = 200;
        assert_eq!(unpacked(&unknown, i64::MIN, 9), None);
        assert_eq!(unpacked(&body, i64::MIN, 9).unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out(held in entries(), above in -3_100..3_100_i64, most in 0..2_000_usize) {
            let all: Vec<Known> = held.iter().map(|(fid, salt)| entry(*fid, *salt)).collect();
            let wanted: Vec<Known> = all.iter().copied().filter(|one| one.fid > above).take(most).collect();
            prop_assert_eq!(unpacked(&pack(&all).unwrap(), above, most), Some(wanted));
        }

        #[test]
        fn changes_are_those_of_a_map(held in entries(), changes in entries()) {
            let mut model: BTreeMap<i64, Known> =
                held.iter().map(|(fid, salt)| (*fid, entry(*fid, *salt))).collect();
            let before: Vec<Known> = model.values().copied().collect();
            let changes: Vec<Change> =
                changes.iter().map(|(fid, salt)| (*fid, (salt % 3 > 0).then(|| entry(*fid, *salt)))).collect();
            for (fid, now) in &changes {
                match now {
                    Some(known) => _ = model.insert(*fid, *known),
                    None => _ = model.remove(fid),
                }
            }
            let after = amended(before, &changes);
            prop_assert_eq!(&after, &model.values().copied().collect::<Vec<_>>());
            let pieces: Vec<&[Known]> = cut(&after).collect();
            prop_assert!(pieces.iter().all(|piece| piece.len() <= MOST));
            prop_assert_eq!(pieces.concat(), after);
        }
    }
}
