//! Events are read for ever: bytes of each form of each event there has been, and what they say.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use journal::{EventType, event_types};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, SerializeOptions,
    Value, prost::Message,
};

use crate::running::root;

/// More than any type will ever have.
const FORMS: u32 = 1000;

fn fixtures() -> PathBuf {
    root().join("tests/fixtures/events")
}

/// The forms recorded of a type, oldest first, as paths without their ending.
fn forms(name: &str) -> Vec<PathBuf> {
    let folder = fixtures().join(name);
    (1..=FORMS)
        .map(|it| folder.join(it.to_string()))
        .take_while(|it| ending(it, "bin").exists())
        .collect()
}

fn ending(form: &Path, ending: &str) -> PathBuf {
    form.with_extension(ending)
}

/// As JSON, with every field that is there, under the names of the contract.
fn told(message: &DynamicMessage) -> String {
    let mut json = Vec::new();
    let mut pretty = serde_json::Serializer::pretty(&mut json);
    let options = SerializeOptions::new().skip_default_fields(true);
    message.serialize_with_options(&mut pretty, &options).unwrap();
    String::from_utf8(json).unwrap() + "\n"
}

fn read(it: &EventType, form: &Path) -> DynamicMessage {
    let bytes = fs::read(ending(form, "bin")).unwrap();
    DynamicMessage::decode(it.message.clone(), bytes.as_slice()).unwrap()
}

/// Whether every field of a type and of what it is made of is set.
fn is_whole(message: &DynamicMessage) -> bool {
    message.descriptor().fields().all(|field| {
        message.has_field(&field)
            && match &*message.get_field(&field) {
                Value::Message(inner) => is_whole(inner),
                Value::List(list) => list.iter().filter_map(Value::as_message).all(is_whole),
                _ => true,
            }
    })
}

#[test]
fn every_form_of_every_event_is_read_as_it_was_recorded() {
    for (name, it) in event_types() {
        for form in forms(name) {
            let message = read(it, &form);
            assert_eq!(message.unknown_fields().count(), 0, "{}", form.display());
            let recorded = fs::read_to_string(ending(&form, "json")).unwrap();
            assert_eq!(told(&message), recorded, "{} is read otherwise now", form.display());
        }
    }
}

#[test]
fn every_event_there_is_has_its_fixture() {
    for (name, it) in event_types() {
        let latest = forms(name).pop();
        let whole = latest.is_some_and(|form| is_whole(&read(it, &form)));
        let write = "cargo test -p journeys --test it write_fixtures -- --ignored";
        assert!(whole, "{name} has no fixture with all its fields: {write}");
    }
}

#[test]
fn every_event_there_was_is_there_still() {
    let folders = fs::read_dir(fixtures()).unwrap().map(|it| it.unwrap().file_name());
    let names: BTreeSet<String> = folders.map(|it| it.into_string().unwrap()).collect();
    let gone: Vec<_> = names.iter().filter(|it| !event_types().contains_key(*it)).collect();
    assert!(gone.is_empty(), "recorded somewhere, and not in the contract any more: {gone:?}");
    assert!(names.len() >= 24, "{names:?}");
}

/// Adds a form of each event whose type has gained a field, or is new. What is there is never written again.
#[test]
#[ignore = "writes into the source tree"]
fn write_fixtures() {
    for (name, it) in event_types() {
        let forms = forms(name);
        if forms.last().is_some_and(|form| is_whole(&read(it, form))) {
            continue;
        }
        let folder = fixtures().join(name);
        fs::create_dir_all(&folder).unwrap();
        let form = folder.join((forms.len() + 1).to_string());
        let message = whole(&it.message);
        fs::write(ending(&form, "bin"), message.encode_to_vec()).unwrap();
        fs::write(ending(&form, "json"), told(&message)).unwrap();
    }
}

/// A message with every field set, each to a value of its own.
fn whole(message: &MessageDescriptor) -> DynamicMessage {
    let mut made = DynamicMessage::new(message.clone());
    for field in message.fields() {
        let value = value(&field);
        let value = if field.is_list() { Value::List(vec![value]) } else { value };
        made.set_field(&field, value);
    }
    made
}

fn value(field: &FieldDescriptor) -> Value {
    let number = field.number();
    match field.kind() {
        Kind::String => Value::String(text(field)),
        Kind::Bytes => Value::Bytes(vec![u8::try_from(number).unwrap(); 32].into()),
        Kind::Bool => Value::Bool(true),
        Kind::Double => Value::F64(f64::from(number) + 0.5),
        Kind::Uint32 => Value::U32(number),
        Kind::Uint64 => Value::U64(u64::from(number)),
        Kind::Int64 => Value::I64(i64::from(number)),
        Kind::Int32 => Value::I32(i32::try_from(number).unwrap()),
        Kind::Enum(list) => Value::EnumNumber(list.values().nth(1).unwrap().number()),
        Kind::Message(inner) => Value::Message(whole(&inner)),
        other => panic!("{}: no value of the kind {other:?} is known here", field.full_name()),
    }
}

fn text(field: &FieldDescriptor) -> String {
    let (name, number) = (field.name(), field.number());
    if name.ends_with("_id") && name != "client_id" && name != "person_id" || name.ends_with("_ids")
    {
        format!("01a20000-0000-7000-8000-{number:012}")
    } else if name.ends_with("_on")
        || name.ends_with("_by") && name == "respond_by"
        || name == "week"
    {
        "2026-03-02".to_owned()
    } else if name.ends_with("urn") {
        format!("{}", 100_000 + number)
    } else {
        name.to_owned()
    }
}

/// `buf`, where `./test` could install it.
fn buf() -> Option<PathBuf> {
    Some(root().join("target/buf/node_modules/.bin/buf")).filter(|it| it.exists())
}

/// Whether a contract keeps what the released one promised.
fn keeps(buf: &Path, change: impl Fn(&str) -> String) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(root().join("proto")).arg(folder.path()).status();
    assert!(copied.unwrap().success());
    let proto = folder.path().join("proto");
    let events = proto.join("headway/improvement/v1/events.proto");
    fs::write(&events, change(&fs::read_to_string(&events).unwrap())).unwrap();
    let output = Command::new(buf)
        .args(["breaking", "--against", "released.binpb"])
        .current_dir(&proto)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_change_that_breaks_old_events_is_caught() {
    let Some(buf) = buf() else {
        eprintln!("buf is not installed: run ./test where there is npm");
        return;
    };
    let goal = "message GoalSet {\n";
    let (kept, said) = keeps(&buf, |it| it.replace(goal, &format!("{goal}  string note = 99;\n")));
    assert!(kept, "a new field breaks nothing: {said}");
    for (what, was, is) in [
        ("another number", "string measure = 3;", "string measure = 33;"),
        ("another type", "double baseline = 4;", "string baseline = 4;"),
        ("another name", "double target = 5;", "double aim = 5;"),
        ("taken away", "  double target = 5;\n", ""),
        (
            "taken away and reserved",
            "  double target = 5;\n",
            "  reserved 5;\n  reserved \"target\";\n",
        ),
        ("a message renamed", "message GoalSet", "message AimSet"),
    ] {
        let (kept, said) = keeps(&buf, |it| {
            assert!(it.contains(was), "{was}");
            it.replacen(was, is, 1)
        });
        assert!(!kept && said.contains("events.proto"), "{what} was not noticed: {said}");
    }
}
