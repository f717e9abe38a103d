//! Files: attachments as they are uploaded by a form, and the archive in which they come back.

use bytes::Bytes;

/// Value of the field `name` of a form upload.
pub(super) fn form_field(body: &[u8], content_type: &str, name: &str) -> Option<Bytes> {
    let (_, boundary) = content_type.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let mark = format!("--{boundary}");
    let marks: Vec<usize> = places(body, mark.as_bytes());
    let parts = marks.iter().zip(marks.iter().skip(1));
    parts.filter_map(|(from, to)| part(body.get(from.saturating_add(mark.len())..*to)?, name)).next()
}

/// The content of one part, if it is the field of this name.
fn part(bytes: &[u8], name: &str) -> Option<Bytes> {
    let end_of_head = *places(bytes, b"\r\n\r\n").first()?;
    let head = String::from_utf8_lossy(bytes.get(..end_of_head)?).into_owned();
    let content = bytes.get(end_of_head.saturating_add(4)..bytes.len().checked_sub(2)?)?;
    head.contains(&format!("name=\"{name}\"")).then(|| Bytes::copy_from_slice(content))
}

fn places(bytes: &[u8], mark: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(mark.len().max(1)).enumerate();
    windows.filter(|(_, window)| *window == mark).map(|(place, _)| place).collect()
}

/// A ZIP archive of stored (not compressed) files.
pub(super) fn zip(files: &[(String, Bytes)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let place = short(out.len());
        let (sum, size, length) = (crc32(content), short(content.len()), short(name.len()) as u16);
        let mut common = Vec::new();
        // Version 2.0, UTF-8 names, stored, the first day that the format knows.
        for half in [20_u16, 0x0800, 0, 0, 0x21] {
            common.extend(half.to_le_bytes());
        }
        for word in [sum, size, size] {
            common.extend(word.to_le_bytes());
        }
        common.extend(length.to_le_bytes());
        common.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(content);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(place.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, size, count) = (short(out.len()), short(directory.len()), short(files.len()) as u16);
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// Attachments in a simulator are smaller than 4 GiB: the limit on bodies sees to it.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |mut sum: u32, byte: &u8| {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
        }
        sum
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_form_field_is_found_by_name() {
        let body = b"--X\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--X\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--X--\r\n";
        assert_eq!(form_field(body, "multipart/form-data; boundary=X", "file"), Some("hello".into()));
        assert_eq!(form_field(body, "multipart/form-data; boundary=X", "key"), Some("k".into()));
        assert_eq!(form_field(body, "multipart/form-data; boundary=X", "other"), None);
        assert_eq!(form_field(body, "text/plain", "file"), None);
    }

    #[test]
    fn the_archive_ends_with_its_directory() {
        let archive = zip(&[("a.txt".into(), "hello".into())]);
        assert!(archive.starts_with(b"PK\x03\x04"));
        // 30 + 5 + 5 of the file, 46 + 5 of its entry, 22 at the end.
        assert_eq!(archive.len(), 113);
    }
}
