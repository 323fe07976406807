//! Who is on roll where: users, their enrolments in classes, and in 1.2 their roles at schools.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use calendar::AcademicYear;
use identity::SchoolNumber;
use rpc::{Error, Fault, Reason, Result};

use super::{File, Pieces, files::required, grades};
use crate::{api::format::bundle::Bundle, domain::OneRosterMapping};

const DELETED: &str = "tobedeleted";

/// What the results need of the rosters.
pub(super) struct People {
    /// The school's number of each class.
    pub(super) classes: HashMap<String, String>,
}

#[derive(Default)]
struct User {
    grades: String,
    student: bool,
    deleted: bool,
}

/// A stretch of time at a school, of all the classes in it.
#[derive(Default)]
struct Stay {
    source: String,
    begin: String,
    /// The last end, if every class has one.
    end: Option<String>,
    /// Whether there is a row in it that is not deleted.
    kept: bool,
}

impl Stay {
    fn extend(&mut self, source: &str, begin: &str, end: &str, deleted: bool) {
        // Rows that go say nothing of how long the others last.
        if deleted && self.kept {
            return;
        }
        let anew = self.source.is_empty() || (!deleted && !self.kept);
        if anew || begin < self.begin.as_str() {
            begin.clone_into(&mut self.begin);
            source.clone_into(&mut self.source);
        }
        let end = Some(end.to_owned()).filter(|it| !it.is_empty());
        self.end = match self.end.take() {
            _ if anew => end,
            Some(last) => end.map(|it| it.max(last)),
            None => None,
        };
        self.kept = !deleted;
    }
}

struct Join<'m> {
    mapping: &'m OneRosterMapping,
    schools: HashMap<String, String>,
    /// The year in which the academic year of each session ends, and the session's first day.
    sessions: HashMap<String, (i32, String)>,
    classes: HashMap<String, (String, Vec<String>)>,
    users: BTreeMap<String, User>,
    /// By school's number, user and the year in which the academic year ends.
    pupils: BTreeMap<(String, String, i32), Stay>,
    staff: BTreeMap<(String, String, String), Stay>,
}

pub(super) fn read(
    bundle: &mut Bundle,
    mapping: &OneRosterMapping,
    pieces: &mut Pieces,
) -> Result<People> {
    let mut join = Join {
        mapping,
        schools: HashMap::new(),
        sessions: HashMap::new(),
        classes: HashMap::new(),
        users: BTreeMap::new(),
        pupils: BTreeMap::new(),
        staff: BTreeMap::new(),
    };
    join.orgs(bundle)?;
    join.sessions(bundle)?;
    join.classes(bundle)?;
    join.users(bundle)?;
    join.roles(bundle)?;
    let skipped = join.enrollments(bundle)?;
    pieces.skipped_rows += skipped;
    join.known()?;
    join.emit(pieces)?;
    let classes = join.classes.into_iter().map(|(id, (org, _))| {
        let number = join.schools.get(&org).cloned().unwrap_or(org);
        (id, number)
    });
    Ok(People { classes: classes.collect() })
}

impl Join<'_> {
    /// A school is known by what the mapping says, its identifier, or its id where that is a school's number.
    fn orgs(&mut self, bundle: &mut Bundle) -> Result<()> {
        let bytes = required(bundle, "orgs.csv")?;
        let (schools, mapping) = (&mut self.schools, self.mapping);
        File::read("orgs.csv", &bytes, ["sourcedId"], ["identifier"], |[id], [identifier]| {
            let number = match mapping.schools.get(id) {
                Some(urn) => urn,
                None if SchoolNumber::parse(identifier).is_ok() => identifier,
                None => id,
            };
            schools.insert(id.to_owned(), number.to_owned());
            Ok(())
        })
    }

    /// Refuses a bundle of which no organisation is known as a school: none of its enrolments could be entered.
    fn known(&self) -> Result<()> {
        let named = || self.pupils.keys().map(|it| &it.0).chain(self.staff.keys().map(|it| &it.0));
        let Some(first) = named().next() else { return Ok(()) };
        if named().any(|it| SchoolNumber::parse(it).is_ok()) {
            return Ok(());
        }
        let detail = format!(
            "must be one whose `schools` say which school {first} is: its identifier in orgs.csv is no URN, LAESTAB or \
             UKPRN, nor is its sourcedId"
        );
        Err(Error::field("/mapping", Fault::new(Reason::FieldRequired, detail)))
    }

    fn sessions(&mut self, bundle: &mut Bundle) -> Result<()> {
        let Some(bytes) = bundle.file("academicSessions.csv")? else { return Ok(()) };
        let sessions = &mut self.sessions;
        let columns = ["sourcedId", "startDate", "schoolYear"];
        File::read("academicSessions.csv", &bytes, columns, [], |[id, start, year], []| {
            let year = year.parse().ok().or_else(|| year_of(start));
            if let Some(year) = year {
                sessions.insert(id.to_owned(), (year, start.to_owned()));
            }
            Ok(())
        })
    }

    fn classes(&mut self, bundle: &mut Bundle) -> Result<()> {
        let Some(bytes) = bundle.file("classes.csv")? else { return Ok(()) };
        let classes = &mut self.classes;
        let columns = ["sourcedId", "schoolSourcedId"];
        File::read("classes.csv", &bytes, columns, ["termSourcedIds"], |[id, school], [terms]| {
            let terms = terms.split(',').map(|it| it.trim().to_owned()).collect();
            classes.insert(id.to_owned(), (school.to_owned(), terms));
            Ok(())
        })
    }

    fn users(&mut self, bundle: &mut Bundle) -> Result<()> {
        let bytes = required(bundle, "users.csv")?;
        let users = &mut self.users;
        File::read(
            "users.csv",
            &bytes,
            ["sourcedId"],
            ["status", "role", "grades"],
            |[id], [status, role, grades]| {
                let user = User {
                    grades: grades.to_owned(),
                    student: role.eq_ignore_ascii_case("student"),
                    deleted: status.eq_ignore_ascii_case(DELETED),
                };
                users.insert(id.to_owned(), user);
                Ok(())
            },
        )
    }

    /// In 1.2 a user's role at a school stands in a table of its own, with its dates.
    fn roles(&mut self, bundle: &mut Bundle) -> Result<()> {
        let Some(bytes) = bundle.file("roles.csv")? else { return Ok(()) };
        let needed = ["sourcedId", "userSourcedId", "role", "orgSourcedId"];
        let optional = ["status", "beginDate", "endDate"];
        File::read(
            "roles.csv",
            &bytes,
            needed,
            optional,
            |[id, user, role, org], [status, begin, end]| {
                let deleted = status.eq_ignore_ascii_case(DELETED);
                if role.eq_ignore_ascii_case("student") {
                    self.users.entry(user.to_owned()).or_default().student = true;
                }
                if !begin.is_empty() {
                    self.stay((id, user, role), org, (begin, end), year_of(begin), deleted);
                }
                Ok(())
            },
        )
    }

    /// Says how many rows became nothing.
    fn enrollments(&mut self, bundle: &mut Bundle) -> Result<u32> {
        let bytes = required(bundle, "enrollments.csv")?;
        let mut skipped = 0;
        let needed = ["sourcedId", "classSourcedId", "schoolSourcedId", "userSourcedId", "role"];
        let optional = ["status", "beginDate", "endDate"];
        File::read(
            "enrollments.csv",
            &bytes,
            needed,
            optional,
            |[id, class, school, user, role], [status, begin, end]| {
                let terms = self.classes.get(class).map(|it| it.1.as_slice()).unwrap_or_default();
                let sessions = terms.iter().filter_map(|it| self.sessions.get(it));
                let session = sessions.min_by(|a, b| a.1.cmp(&b.1));
                let year = session.map(|it| it.0).or_else(|| year_of(begin));
                let begin = match session {
                    Some((_, start)) if begin.is_empty() => start.clone(),
                    _ => begin.to_owned(),
                };
                let deleted = status.eq_ignore_ascii_case(DELETED);
                if !self.stay((id, user, role), school, (&begin, end), year, deleted) {
                    skipped += 1;
                }
                Ok(())
            },
        )?;
        Ok(skipped)
    }

    /// Adds time at a school; whether it is of anybody told of here.
    fn stay(
        &mut self,
        (id, user, role): (&str, &str, &str),
        org: &str,
        (begin, end): (&str, &str),
        year: Option<i32>,
        deleted: bool,
    ) -> bool {
        let school = self.schools.get(org).map_or(org, String::as_str).to_owned();
        let stay = if role.eq_ignore_ascii_case("student") {
            self.pupils.entry((school, user.to_owned(), year.unwrap_or_default())).or_default()
        } else {
            let Some(role) = staff_role(role).filter(|_| self.mapping.staff_fte_percent.is_some())
            else {
                return false;
            };
            self.staff.entry((school, user.to_owned(), role.to_owned())).or_default()
        };
        stay.extend(id, begin, end, deleted);
        true
    }

    fn emit(&self, pieces: &mut Pieces) -> Result<()> {
        let text = |it: &str| Cow::Owned(it.to_owned());
        let flag = |it: bool| Cow::Borrowed(if it { "true" } else { "" });
        let students = self.users.iter().filter(|it| it.1.student);
        let pupils = students.map(|(id, it)| {
            [Cow::Borrowed(id.as_str()), Cow::Borrowed(id.as_str()), flag(it.deleted)]
        });
        pieces.add(["external_id", "pupil", "deleted"], pupils)?;

        let latest = self.pupils.keys().map(|it| it.2).max().unwrap_or_default();
        let gone = |user: &str| self.users.get(user).is_some_and(|it| it.deleted);
        // A class that goes takes nobody off the roll of whom the bundle says that they are still there.
        let stays = self
            .pupils
            .iter()
            .filter(|(key, stay)| !gone(&key.1) && (stay.kept || !self.users.contains_key(&key.1)));
        let enrolments = stays.map(|((school, user, year), stay)| {
            let grades = self.users.get(user).map_or("", |it| it.grades.as_str());
            // Grades are those of today; in years before the pupil was in one below.
            let before = i8::try_from(latest - year).unwrap_or_default();
            let group = grades::year(self.mapping, grades).map(|it| it.saturating_sub(before));
            [
                text(&stay.source),
                text(school),
                text(user),
                group.map_or_else(|| text(grades), |it| Cow::Owned(it.to_string())),
                text(&stay.begin),
                text(stay.end.as_deref().unwrap_or_default()),
                flag(!stay.kept),
            ]
        });
        let header =
            ["external_id", "urn", "pupil", "year_group", "starts_on", "ends_on", "deleted"];
        pieces.add(header, enrolments)?;

        let Some(fte) = self.mapping.staff_fte_percent else { return Ok(()) };
        let contracts = self.staff.iter().filter(|(key, _)| !gone(&key.1)).map(
            |((school, user, role), stay)| {
                [
                    text(&stay.source),
                    text(school),
                    text(user),
                    text(role),
                    Cow::Owned(format!("{}.{:02}", fte / 100, fte % 100)),
                    text(&stay.begin),
                    flag(!stay.kept),
                ]
            },
        );
        pieces
            .add(["external_id", "urn", "person", "role", "fte", "starts_on", "deleted"], contracts)
    }
}

/// The year in which the academic year of a day ends.
fn year_of(date: &str) -> Option<i32> {
    date.parse().ok().map(|it| AcademicYear::of(it).first_year() + 1)
}

/// The role in the list of staff roles; none for who is not on the staff.
fn staff_role(role: &str) -> Option<&'static str> {
    Some(match role.to_ascii_lowercase().as_str() {
        "teacher" => "classroom_teacher",
        "aide" => "teaching_assistant",
        "principal" => "headteacher",
        "administrator" | "siteadministrator" | "counselor" | "proctor" => "other",
        _ => return None,
    })
}
