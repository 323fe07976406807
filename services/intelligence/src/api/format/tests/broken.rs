//! Files of every layout, cut, torn and spoilt: never a panic, and whatever is refused has its place.

use proptest::{prelude::*, sample::Index};

use super::{csv, options};
use crate::{api::format::pieces, domain::academic_year};

const FILES: [&[u8]; 6] = [
    include_bytes!("../../../../tests/data/published/ks2_2016-17.csv"),
    include_bytes!("../../../../tests/data/published/school_years_2015-19.csv"),
    include_bytes!("../../../../tests/data/published/census_2022-23.csv"),
    include_bytes!("../../../../tests/data/published/absence_2021-24.csv"),
    b"external_id,urn,pupil,year_group,starts_on\r\ne1,100001,p1,3,2025-09-01\r\n",
    b"urn;date;session;pupil;code\n100001;2025-11-21;AM;p1;/\n100001;2025-11-21;PM;p1;\\\n",
];

#[derive(Clone, Debug)]
enum Harm {
    Cut(Index),
    Put(Index, Vec<u8>),
    Drop(Index, u8),
    Twice(Index, u8),
}

fn harm() -> impl Strategy<Value = Harm> {
    let bytes = prop_oneof![
        prop::sample::select(vec![",", ";", "\"", "\n", "\r", "\0", "\u{feff}", "é", "-", "%"])
            .prop_map(|it| it.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop_oneof![
        any::<Index>().prop_map(Harm::Cut),
        (any::<Index>(), bytes).prop_map(|(at, bytes)| Harm::Put(at, bytes)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Harm::Drop(at, length)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Harm::Twice(at, length)),
    ]
}

fn harmed(file: &[u8], harms: &[Harm]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for harm in harms {
        let at = |it: &Index| it.index(bytes.len() + 1);
        match harm {
            Harm::Cut(place) => bytes.truncate(at(place)),
            Harm::Put(place, more) => {
                let place = at(place);
                bytes.splice(place..place, more.iter().copied());
            }
            Harm::Drop(place, length) => {
                let place = at(place);
                bytes.drain(place..bytes.len().min(place + usize::from(*length)));
            }
            Harm::Twice(place, length) => {
                let place = at(place);
                let end = bytes.len().min(place + usize::from(*length));
                let again = bytes[place..end].to_vec();
                bytes.splice(place..place, again);
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn a_spoilt_file_is_refused_with_a_place(
        file in 0..FILES.len(),
        harms in prop::collection::vec(harm(), 0..6),
    ) {
        let mut options = options(&["100001", "124937", "125284", "100000", "100052"]);
        options.period = academic_year("2018/19");
        match csv(&options, harmed(FILES[file], &harms)) {
            Ok(read) => {
                for record in read.records {
                    prop_assert!(record.line >= 2);
                    for problem in record.body.err().unwrap_or_default() {
                        let place = &problem.pointer;
                        let detail = &problem.fault.detail;
                        prop_assert!(!place.is_empty() || detail.contains("column") || detail.contains("values"), "{}", detail);
                    }
                }
            }
            Err(detail) => {
                let placed = ["line 1", "not CSV", "UTF-16", "these columns"].iter().any(|it| detail.contains(it));
                prop_assert!(placed, "{}", detail);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_archive_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let framed = [b"PK\x05\x06".as_slice(), &bytes].concat();
        prop_assert!(pieces(&options(&[]), &bytes).is_err());
        prop_assert!(pieces(&options(&[]), &framed).is_err());
    }
}
