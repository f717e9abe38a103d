use jiff::Timestamp;
use legale::tracking::{BrokenEvidence, Entry, EvidenceLog, verify};

async fn written(path: &std::path::Path, count: i64) -> Vec<u8> {
    let mut log = EvidenceLog::open(path).await.unwrap();
    for number in 0..count {
        let entry = Entry::new(Timestamp::from_second(number).unwrap(), format!("g-{number}"), "uploaded");
        log.append(entry.sha256("00")).await.unwrap();
    }
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn a_log_goes_on_where_it_stopped_and_every_line_is_bound_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    written(&path, 3).await;
    let bytes = written(&path, 2).await;
    let verified = verify(&bytes[..]).await.unwrap();
    assert_eq!((verified.lines, verified.torn), (5, 0));
    assert!(bytes.ends_with(format!("\"{}\"}}\n", verified.head).as_bytes()));
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let _: serde_json::Value = serde_json::from_slice(line).unwrap();
    }
}

#[tokio::test]
async fn any_change_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = written(&folder.path().join("e"), 4).await;
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let joined = |order: &[usize]| order.iter().flat_map(|index| lines[*index]).copied().collect::<Vec<u8>>();
    for (order, line) in [(&[0, 2, 3][..], 2), (&[1, 2, 3], 1), (&[0, 2, 1, 3], 2), (&[0, 0, 1, 2, 3], 2)] {
        let error = verify(&joined(order)[..]).await.unwrap_err();
        assert_eq!(error.find_source::<BrokenEvidence>().unwrap().line, line, "{order:?}");
    }
    // One bit anywhere but in the last line end, which then looks like a line cut off.
    for index in 0..bytes.len() - 1 {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        assert!(verify(&changed[..]).await.is_err(), "byte {index}");
    }
}

#[tokio::test]
async fn a_line_that_was_being_written_is_cut_off_and_a_broken_log_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e");
    let whole = written(&path, 2).await;
    std::fs::write(&path, [&whole[..], b"{\"seq\":3,\"at"].concat()).unwrap();
    let bytes = written(&path, 1).await;
    assert!(bytes.starts_with(&whole));
    assert_eq!(verify(&bytes[..]).await.unwrap().lines, 3);
    std::fs::write(&path, &bytes[1..]).unwrap();
    assert!(EvidenceLog::open(&path).await.is_err());
}
