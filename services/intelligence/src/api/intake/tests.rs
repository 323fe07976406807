use proptest::{collection::vec, prelude::*};
use rpc::Reason;
use serde_json::json;

use super::*;
use crate::domain::{COLUMNS, Format, HEADER_BYTES, NESTING, RECORD_BYTES};

const SMALL: Sizes = Sizes { part_bytes: 300, part_records: 4, bytes: u64::MAX, records: 1000 };

/// Cuts a body that comes in chunks of these lengths, over and over.
fn split(mut splitter: Splitter, body: &[u8], lengths: &[usize]) -> Result<Vec<Part>> {
    let (mut parts, mut rest) = (Vec::new(), body);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at((*length).clamp(1, rest.len()));
        parts.extend(splitter.take(chunk)?);
        rest = after;
    }
    parts.extend(splitter.end()?.0);
    Ok(parts)
}

/// Every record of JSON parts with its line.
fn values(parts: &[Part]) -> Vec<(u32, Value)> {
    let mut values = Vec::new();
    for part in parts {
        assert_eq!(part.format, Format::Lines);
        let text = std::str::from_utf8(&part.bytes).unwrap();
        let before = values.len();
        for (line, text) in (part.first_line..).zip(text.lines()) {
            if !text.is_empty() {
                values.push((line, serde_json::from_str(text).unwrap()));
            }
        }
        assert_eq!(values.len() - before, part.records as usize);
        assert!(part.records <= SMALL.part_records);
        assert!(part.bytes.len() <= SMALL.part_bytes || part.records == 1);
    }
    values
}

/// Every row of a table's parts with the line it begins on.
fn rows(parts: &[Part]) -> Vec<(u64, Vec<String>)> {
    let mut rows = Vec::new();
    for part in parts {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&part.bytes[..]);
        let mut first = None;
        for row in reader.records().map(Result::unwrap) {
            // The csv crate has a row begin where the blank lines before it do.
            let line = row.position().unwrap().line();
            let first = *first.get_or_insert(line);
            let values = row.iter().map(str::to_owned).collect();
            rows.push((u64::from(part.first_line) + line - first, values));
        }
    }
    rows
}

fn record() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\\n\t{}\\[\\],:é€𝄞 ]{0,12}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z\"]{0,4}", inner), 0..4)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    });
    ("[a-z]{1,8}", value).prop_map(|(name, value)| json!({ name: value }))
}

proptest! {
    #[test]
    fn chunks_do_not_matter_to_objects(
        records in vec(record(), 1..30), pretty: bool, lengths in vec(1..200_usize, 1..6),
    ) {
        let body = json!({"dryRun": true, "records": records, "feedId": "é"});
        let body =
            if pretty { serde_json::to_vec_pretty(&body) } else { serde_json::to_vec(&body) };
        let body = body.unwrap();
        let whole = split(Splitter::json(SMALL), &body, &[usize::MAX]).unwrap();
        prop_assert_eq!(values(&whole), (1..).zip(records).collect::<Vec<_>>());
        prop_assert_eq!(split(Splitter::json(SMALL), &body, &lengths).unwrap(), whole);
    }

    #[test]
    fn chunks_do_not_matter_to_lines(
        records in vec((record(), 0..3_usize, "(\r\n|\n)"), 1..30), lengths in vec(1..200_usize, 1..6),
    ) {
        let (mut body, mut expected, mut line) = (String::new(), Vec::new(), 1);
        for (record, blanks, end) in records {
            body += &end.repeat(blanks);
            line += u32::try_from(blanks).unwrap();
            body += &record.to_string();
            body += &end;
            expected.push((line, record));
            line += 1;
        }
        let whole = split(Splitter::lines(SMALL), body.as_bytes(), &[usize::MAX]).unwrap();
        prop_assert_eq!(values(&whole), expected);
        prop_assert_eq!(split(Splitter::lines(SMALL), body.trim_end().as_bytes(), &lengths).unwrap(), whole);
    }

    #[test]
    fn chunks_do_not_matter_to_tables(
        data in vec(vec("[a-z\",\n é]{0,8}", 3), 1..30), end in "(\r\n|\n|\r)", bom: bool,
        lengths in vec(1..200_usize, 1..6),
    ) {
        let mut body = if bom { "\u{feff}".to_owned() } else { String::new() };
        body += "one,\"two\",three";
        let (mut expected, mut line) = (Vec::new(), 2);
        for row in data {
            body += &end;
            let quoted: Vec<_> = row.iter().map(|it| format!("\"{}\"", it.replace('"', "\"\""))).collect();
            body += &quoted.join(",");
            let lines = row.iter().map(|it| it.matches('\n').count() as u64).sum::<u64>();
            expected.push((line, row));
            line += 1 + lines;
        }
        let whole = split(Splitter::table(b',', SMALL), body.as_bytes(), &[usize::MAX]).unwrap();
        prop_assert_eq!(rows(&whole), expected);
        prop_assert_eq!(split(Splitter::table(b',', SMALL), body.as_bytes(), &lengths).unwrap(), whole);
    }

    /// Whatever comes, it is cut or refused, and in the same words however it comes.
    #[test]
    fn nothing_upsets_them(
        body in "[{}\\[\\]\",:a-z0-9\\\\ \n\r\u{0}é]{0,60}", within: bool, lengths in vec(1..20_usize, 1..6),
    ) {
        let body = if within { format!("{{\"records\": [{body}") } else { body };
        for new in [Splitter::json, Splitter::lines, |sizes| Splitter::table(b',', sizes)] {
            let at_once = split(new(SMALL), body.as_bytes(), &[usize::MAX]);
            let bit_by_bit = split(new(SMALL), body.as_bytes(), &lengths);
            match (at_once, bit_by_bit) {
                (Ok(a), Ok(b)) => prop_assert_eq!(a, b),
                // A NUL is seen before what is wrong in front of it, if both come at once.
                (Err(a), Err(b)) => prop_assert!(a.reason == b.reason || body.contains('\0')),
                (a, b) => prop_assert!(false, "{:?} {:?}", a, b),
            }
        }
    }
}

#[track_caller]
fn check(splitter: Splitter, body: impl AsRef<[u8]>, reason: Reason, told: &str) {
    let error = split(splitter, body.as_ref(), &[1000]).unwrap_err();
    assert!(error.reason == reason && error.detail.contains(told), "{error:?}");
}

#[test]
fn what_no_record_can_be_is_refused_with_its_place() {
    use Reason::{BodyMalformed, BodyTooLarge};
    let (json, lines) = (|| Splitter::json(SMALL), || Splitter::lines(SMALL));
    let table = || Splitter::table(b',', SMALL);
    check(json(), "{\"records\": [\n {\"externalId\": }]}", BodyMalformed, "line 2 column 17");
    check(json(), "{\"records\": [{},\n]}", BodyMalformed, "a record must come (line 2 column 1");
    check(json(), "{\"records\": [{}]", BodyMalformed, "the end of the object must come (line 1");
    check(
        json(),
        "{\"records\": [{}]} {",
        BodyMalformed,
        "nothing more must come (line 1 column 19",
    );
    check(json(), "{\"records\": [\"\0\"]}", BodyMalformed, "NUL byte");
    check(json(), b"{\"records\": [\n\"ab\xff\"]}", BodyMalformed, "not UTF-8 (line 2 column 4");
    check(lines(), "{}\n{\"a\": 1]\n", BodyMalformed, "line 2 column 8 of the body");
    check(lines(), "{}\n\"a\0b\"", BodyMalformed, "line 2 column 3");
    check(lines(), b"{}\n\"\xe9\"", BodyMalformed, "not UTF-8 (line 2 column 2");
    check(table(), "a,b\n1,2\n\0", BodyMalformed, "line 3 column 1");

    let deep = |depth: u8| "[".repeat(depth.into()) + &"]".repeat(depth.into());
    check(lines(), deep(NESTING + 1), BodyMalformed, "nested more than 64 deep");
    assert!(split(lines(), deep(NESTING).as_bytes(), &[7]).is_ok());
    check(json(), format!("{{\"records\": [{}]}}", deep(200)), BodyMalformed, "nested");

    let long = "x".repeat(RECORD_BYTES);
    check(lines(), format!("{{}}\n\"{long}"), BodyTooLarge, "begins at line 2 column 1");
    check(json(), format!("{{\"records\": [\n  \"{long}"), BodyTooLarge, "line 2 column 3");
    check(table(), format!("a,b\n1,\"{long}"), BodyTooLarge, "begins at line 2 column 1");
    check(json(), format!("{{\"x\": \"{long}"), BodyTooLarge, "65536 bytes");
    check(table(), "a".repeat(HEADER_BYTES + 1), BodyTooLarge, "the header");
    check(table(), "a,".repeat(COLUMNS + 1) + "\n", BodyTooLarge, &format!("{COLUMNS} columns"));
    check(lines(), "{}\n".repeat(1001), BodyTooLarge, "1000 records");
}

#[test]
fn what_is_wrong_with_the_whole_is_told_by_pointer() {
    #[track_caller]
    fn check(body: &str, pointer: &str) {
        let error = split(Splitter::json(SMALL), body.as_bytes(), &[3]).unwrap_err();
        assert_eq!(
            error.problems.first().map(|it| it.pointer.as_str()),
            Some(pointer),
            "{error:?}"
        );
    }
    check("[]", "");
    check("7", "");
    check("{\"records\": {}}", "/records");
    check("{\"records\": [], \"records\": []}", "/records");
}

#[test]
fn blank_lines_take_no_room_between_parts() {
    let body = "{}\n".to_owned() + &"\n".repeat(100_000) + "{}\n\n\n{}";
    let parts = split(Splitter::lines(SMALL), body.as_bytes(), &[5000]).unwrap();
    assert_eq!(parts.iter().map(|it| it.first_line).collect::<Vec<_>>(), [1, 100_002]);
    assert_eq!(parts[1].bytes, b"{}\n\n\n{}\n");
    let body = "a\n".to_owned() + &"\n".repeat(100_000) + "1\n\n\n2";
    let parts = split(Splitter::table(b',', SMALL), body.as_bytes(), &[5000]).unwrap();
    assert_eq!((parts[0].first_line, &parts[0].bytes[..]), (100_002, &b"a\n1\n\n\n2\n"[..]));
}

#[test]
fn a_header_over_nothing_is_still_told_of() {
    let parts = split(Splitter::table(b',', SMALL), b"a,b\n", &[2]).unwrap();
    assert_eq!((parts.len(), parts[0].records, &parts[0].bytes[..]), (1, 0, &b"a,b\n"[..]));
    assert!(split(Splitter::table(b',', SMALL), b"", &[2]).unwrap().is_empty());
}
