//! File names for the portal: the base name alone (contract B4).

/// The base name of whatever a case-management program calls a file; nothing if none is left.
///
/// Separators of both kinds count, since the name may come from either system; control characters and those that turn the direction
/// of writing go, since a name that reads otherwise than it is deceives.
pub(super) fn base_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = without_drive(last).chars().filter(|c| !c.is_control() && !turns(*c)).collect();
    let plain = plain.trim();
    let none = plain.is_empty() || plain.chars().all(|c| c == '.');
    (!none).then(|| plain.to_owned())
}

/// `C:letter.pdf` is a path too.
fn without_drive(name: &str) -> &str {
    match name.split_once(':') {
        Some((drive, rest)) if drive.len() == 1 && drive.chars().all(|c| c.is_ascii_alphabetic()) => rest,
        _ => name,
    }
}

const fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Type and subtype in lower case, without parameters; nothing if it is no media type.
pub(super) fn essence(media_type: &str) -> Option<String> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    let whole = essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    whole.then_some(essence)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_reduced_to_its_last_part() {
        for (name, base) in [
            ("carta.pdf", Some("carta.pdf")),
            ("../../etc/passwd", Some("passwd")),
            (r"C:\Clientes\Ñandú\carta 1.pdf", Some("carta 1.pdf")),
            (r"\\servidor\x/y\z.pdf", Some("z.pdf")),
            ("C:carta.pdf", Some("carta.pdf")),
            ("Re: carta.pdf", Some("Re: carta.pdf")),
            ("a\r\nb\0.pdf", Some("ab.pdf")),
            ("carta\u{202e}fdp.exe", Some("cartafdp.exe")),
            (".hidden", Some(".hidden")),
            ("", None),
            ("  ", None),
            ("folder/", None),
            ("..", None),
            ("x/..", None),
            ("\u{1}", None),
        ] {
            assert_eq!(base_name(name).as_deref(), base, "{name:?}");
        }
    }

    #[test]
    fn a_media_type_is_read_without_parameters() {
        assert_eq!(essence("Application/PDF; version=1").as_deref(), Some("application/pdf"));
        for bad in ["", "pdf", "/pdf", "application/", "a b/c", "a/b/c"] {
            assert_eq!(essence(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_left_is_a_plain_name(name in any::<String>(), tail in "[ -~]{0,12}") {
            if let Some(base) = base_name(&format!("{name}{tail}")) {
                prop_assert!(!base.is_empty() && !base.contains(['/', '\\']) && base != "..");
                prop_assert!(!base.chars().any(char::is_control));
                prop_assert_eq!(base_name(&base).as_deref().is_some(), true);
            }
        }
    }
}
