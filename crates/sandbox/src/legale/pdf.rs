//! The file that comes out of a finished flow: a PDF that can be told from the original and from any other.

use std::io;

use crate::blob::Content;

/// How far from its end a PDF's `startxref` is looked for.
const TAIL: usize = 2048;

/// The signed file. A PDF gets a comment and a second end, which every reader takes for the same document; its
/// bytes stay in front, so that a signed file of any size can be checked against its original. Anything else
/// becomes a small PDF that names the original's digest.
pub(super) fn signed(original: &Content, guid: &str, signers: &[String]) -> io::Result<Content> {
    let note = note(original, guid, signers);
    if !original.starts_with(b"%PDF-") {
        return Ok(Content::from_bytes(small(&note)));
    }
    let tail = original.tail(TAIL)?;
    let end = match start_of_table(&String::from_utf8_lossy(&tail)) {
        Some(place) => format!("\n% {note}\nstartxref\n{place}\n%%EOF\n"),
        // A file that only begins like a PDF has no table; it is not made better than it was.
        None => format!("\n% {note}\n%%EOF\n"),
    };
    Ok(original.followed_by(end.into_bytes()))
}

/// Printable ASCII only, since it stands in a comment or in a text of the page.
fn note(original: &Content, guid: &str, signers: &[String]) -> String {
    let text = format!("SIGNED-BY-SANDBOX {guid} sha256 {} by {}", original.sha256(), signers.join(", "));
    text.chars().map(|sign| if sign.is_ascii_graphic() || sign == ' ' { sign } else { '?' }).collect()
}

/// The number under the last `startxref`.
fn start_of_table(tail: &str) -> Option<u64> {
    let (_, after) = tail.rsplit_once("startxref")?;
    after.split_whitespace().next()?.parse().ok()
}

/// One page that shows the note, with a table of right offsets.
pub(crate) fn small(note: &str) -> Vec<u8> {
    let escaped = note.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
    let stream = format!("BT /F1 8 Tf 20 400 Td ({escaped}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut text = String::from("%PDF-1.4\n");
    let mut table = String::from("0000000000 65535 f \n");
    for (at, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", text.len()));
        text.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at.saturating_add(1)));
    }
    let start = text.len();
    let size = objects.len().saturating_add(1);
    text.push_str(&format!(
        "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ));
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_points_at_its_objects() {
        let text = String::from_utf8(small("a (note) \\")).unwrap();
        let start = start_of_table(&text).unwrap() as usize;
        assert!(text.get(start..).unwrap().starts_with("xref\n0 6\n"));
        let offsets = text
            .get(start..)
            .unwrap()
            .lines()
            .skip(3)
            .take(5)
            .map(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap());
        for (at, offset) in offsets.enumerate() {
            assert!(text.get(offset..).unwrap().starts_with(&format!("{} 0 obj", at + 1)));
        }
    }

    #[test]
    fn a_pdf_keeps_its_bytes_and_anything_else_is_named_by_digest() {
        let original = Content::from_bytes(small("one"));
        let signed_pdf = signed(&original, "G", &["a@b".into()]).unwrap().to_vec().unwrap();
        assert!(signed_pdf.starts_with(&original.to_vec().unwrap()));
        let text = String::from_utf8(signed_pdf).unwrap();
        assert_eq!(start_of_table(&text), start_of_table(&String::from_utf8(small("one")).unwrap()));

        let word = Content::from_bytes("PK not a pdf");
        let small = String::from_utf8(signed(&word, "G", &[]).unwrap().to_vec().unwrap()).unwrap();
        assert!(small.starts_with("%PDF-1.4") && small.contains(&word.sha256()));
    }
}
