//! Bytes of a text file as text.

use std::borrow::Cow;

use encoding_rs::WINDOWS_1252;
use rpc::{Error, Reason, Result};

/// UTF-8, with or without a byte order mark, or else Windows-1252, which every byte is valid in. UTF-16 is refused: by
/// its mark, for read as Windows-1252 it would be nonsense.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let detail = "the file is in UTF-16: save it as CSV in UTF-8";
        return Err(Error::new(Reason::FileMalformed, detail));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    };
    // Lines are counted by line feeds, and the one after a carriage return would count late.
    Ok(if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { text })
}

/// The separator that the header uses most outside quotes.
pub(in crate::api) fn delimiter(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0_u32), (b';', 0), (b'\t', 0)];
    for byte in text.trim_start_matches(['\n', '\r']).bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|it| it.0 == byte).for_each(|it| it.1 += 1),
        }
    }
    // The first of those equally frequent: a header of one column has none, and a comma is the rule.
    counts.iter().rev().max_by_key(|it| it.1).map_or(b',', |it| it.0)
}

/// A header as it is compared: case, spaces, hyphens and underscores do not matter.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|it| !matches!(it, '_' | '-') && !it.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_is_told_by_the_header() {
        #[track_caller]
        fn check(text: &str, expected: u8) {
            assert_eq!(delimiter(text), expected, "{text}");
        }
        check("a,b;c,d\n1;2;3;4", b',');
        check("a;b;c\n1,2,3,4", b';');
        check("\n\na\tb\n", b'\t');
        check("\"a;b;c\",d\n", b',');
        check("\"a\n;;;\",d\n", b',');
        check("alone", b',');
        check("", b',');
    }

    #[test]
    fn text_is_utf_8_or_windows_1252() {
        #[track_caller]
        fn check(bytes: &[u8], expected: Option<&str>) {
            assert_eq!(decode(bytes).ok().as_deref(), expected);
        }
        check("\u{feff}Zoë\r\n".as_bytes(), Some("Zoë\n"));
        check(b"Zo\xeb\r\nSt Mary\x92s", Some("Zoë\nSt Mary’s"));
        check(b"\xff\xfeZ\0", None);
        check(b"\xfe\xff\0Z", None);
        check(b"", Some(""));
    }

    #[test]
    fn headers_are_compared_by_their_letters() {
        for header in ["Year Group", "year_group", "YEAR-GROUP", "yearGroup", " yeargroup\u{a0}"] {
            assert_eq!(plain(header), "yeargroup");
        }
    }
}
