//! Erasing somebody: what was erased, and what is certified of it.

use chrono::{DateTime, SecondsFormat, Utc};
use identity::TrustId;
use uuid::Uuid;

use super::{Subject, Went};

identity::id! {
    /// One erasure.
    ErasureId
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    pub erasure_id: ErasureId,
    pub trust_id: TrustId,
    pub subject: Subject,
    pub erased: Vec<Went>,
    /// The text that says under whose authority.
    pub authority: Option<Uuid>,
    pub erased_at: DateTime<Utc>,
    pub erased_by: String,
    /// Within the trust's part of the journal.
    pub position: i64,
    pub scrubbed_at: Option<DateTime<Utc>>,
    pub scrubbed_how: Option<String>,
    pub lifted_at: Option<DateTime<Utc>>,
    pub version: u32,
}

/// The text of a certificate, to be signed: one fact a line, nothing of whom it is about.
pub fn certificate(it: &Erasure, origin: &str, authority: Option<&str>) -> String {
    let time = |it: &DateTime<Utc>| it.to_rfc3339_opts(SecondsFormat::Micros, true);
    let subject = match it.subject {
        Subject::Pupil => "pupil",
        Subject::Staff => "staff",
    };
    let mut lines = vec![
        "headway erasure certificate v1".to_owned(),
        format!("journal {origin}"),
        format!("erasure {}", it.erasure_id),
        format!("trust {}", it.trust_id),
        format!("position {}", it.position),
        format!("subject {subject}"),
        format!("erased-at {}", time(&it.erased_at)),
        format!("erased-by {}", plain(&it.erased_by)),
    ];
    lines.extend(authority.map(|it| format!("authority {}", plain(it))));
    lines.extend(it.erased.iter().map(|it| format!("rows {} {}", it.what, it.rows)));
    match (&it.scrubbed_at, &it.scrubbed_how) {
        (Some(at), Some(how)) => {
            lines.push(format!("files-scrubbed-at {}", time(at)));
            lines.push(format!("files-scrubbed-how {}", plain(how)));
        }
        _ => lines.push("files-scrubbed-at pending".to_owned()),
    }
    lines.extend(it.lifted_at.iter().map(|it| format!("lifted-at {}", time(it))));
    lines.join("\n") + "\n"
}

/// On one line, whatever was written.
fn plain(text: &str) -> String {
    let spaced = text.chars().map(|it| if it.is_control() { ' ' } else { it });
    spaced.collect::<String>().trim().to_owned()
}

/// Whether a text holds an id as a word of its own: `17` is in `e-17`, not in `e-170`.
pub fn is_named(text: &str, id: &str) -> bool {
    let joins = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
    text.match_indices(id).any(|(at, _)| {
        let before = text.get(..at).and_then(|it| it.chars().next_back());
        let after = text.get(at + id.len()..).and_then(|it| it.chars().next());
        !joins(before) && !joins(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_as_a_word() {
        #[track_caller]
        fn check(text: &str, id: &str, named: bool) {
            assert_eq!(is_named(text, id), named, "{text}");
        }
        check("e-17", "17", true);
        check("e-170", "17", false);
        check("e-117-17", "17", true);
        check("17", "17", true);
        check("no pupil P 9 at the school", "P 9", true);
        check("", "17", false);
        check("é17", "17", false);
    }

    #[test]
    fn a_certificate_has_a_fact_a_line() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let erasure = Erasure {
            erasure_id: ErasureId(Uuid::nil()),
            trust_id: TrustId(Uuid::nil()),
            subject: Subject::Pupil,
            erased: vec![Went::new("attendance-marks", 380)],
            authority: None,
            erased_at: at,
            erased_by: "dpo".to_owned(),
            position: 9,
            scrubbed_at: None,
            scrubbed_how: None,
            lifted_at: None,
            version: 1,
        };
        let text =
            certificate(&erasure, "headway/intelligence/x", Some("Request 7\nrows pupils 1"));
        assert!(text.contains("\nauthority Request 7 rows pupils 1\n"), "{text}");
        assert!(
            text.contains("\nrows attendance-marks 380\nfiles-scrubbed-at pending\n"),
            "{text}"
        );
        assert!(text.contains("erased-at 2027-01-15T08:00:00.000000Z\n"), "{text}");
    }
}
