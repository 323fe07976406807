//! The values of measures that facts and rolls come to.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    iter::repeat_n,
};

use chrono::NaiveDate;
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::Result;

use super::observation::{Question, Split};
use crate::{
    domain::{
        Absent, FactMeasure, Feed, Figure, Flags, Group, Known, Over, Period, Quantity, Roll,
        School, Shown, Standing, Sums, Top, Whose, hidden, is_alike,
    },
    store::{self, cell::Line},
};

/// Feeds of a trust that are looked at.
const FEEDS: i64 = 10_000;
/// Before everything anybody could tell of.
const FIRST: NaiveDate = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();

/// What is asked, and what does not depend on the period.
pub(super) struct Measured<'a> {
    trust_id: TrustId,
    split: Split,
    subject: Option<&'a str>,
    /// Whether a measure was asked for by name: then there is a line also where there is no value.
    is_named: bool,
    measures: &'a [&'static FactMeasure],
    schools: &'a [&'a School],
    rolls: HashMap<SchoolId, Roll>,
    feeds: Vec<Feed>,
}

/// What is known of all schools in a period.
#[derive(Default)]
struct Material {
    sums: HashMap<(SchoolId, Quantity), Vec<Line>>,
    stocks: HashMap<(SchoolId, Quantity), i64>,
    standings: HashMap<SchoolId, Vec<Standing>>,
}

/// Some of a school's pupils.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    All,
    YearGroup(i8),
    In(Group),
    /// With these characteristics of the first, and none of its others.
    Exactly(Flags, Flags),
}

impl Part {
    fn holds(self, standing: Option<&Standing>) -> bool {
        match (self, standing) {
            (Self::All, _) => true,
            (_, None) => false,
            (Self::YearGroup(it), Some(standing)) => standing.year_group == it,
            (Self::In(group), Some(standing)) => group.includes(standing.flags),
            (Self::Exactly(of, these), Some(standing)) => standing.flags.intersection(of) == these,
        }
    }
}

impl<'a> Measured<'a> {
    pub(super) async fn open(
        tx: &mut Tx,
        question: &'a Question,
        measures: &'a [&'static FactMeasure],
        schools: &'a [&'a School],
    ) -> Result<Self> {
        let of_roll = |it: &&FactMeasure| {
            it.over == Over::Roll || matches!(it.top, Top::Roll | Top::Having(_))
        };
        let ids: Vec<_> = schools.iter().map(|it| it.school_id).collect();
        let rolls = if measures.iter().any(of_roll) {
            store::roll::of_schools(tx, &ids).await?.into_iter().collect()
        } else {
            HashMap::new()
        };
        let trust_id = question.trust_id;
        let feeds = store::feed::of_trust(tx, trust_id, None, FEEDS).await?;
        let (split, subject) = (question.split, question.subject.as_deref());
        let is_named = question.measure.is_some();
        Ok(Self { trust_id, split, subject, is_named, measures, schools, rolls, feeds })
    }

    /// The lines of a period.
    pub(super) async fn show(
        &self,
        tx: &mut Tx,
        today: NaiveDate,
        period: &Period,
        lines: &mut Vec<Shown>,
    ) -> Result<()> {
        let is_due = period.starts_on <= today;
        let material =
            if is_due { self.read(tx, today, period).await? } else { Material::default() };
        for school in self.schools {
            for measure in self.measures {
                let before = lines.len();
                if is_due {
                    self.tell(measure, school, period, &material, lines);
                }
                let is_missing = lines.len() == before;
                if is_missing
                    && self.is_named
                    && self.split == Split::Whole
                    && self.subject.is_none()
                {
                    let absent = if is_due { Absent::NotAvailable } else { Absent::NotYetDue };
                    lines.push(line(measure, school, period, ("", ""), Part::All, Err(absent)));
                }
            }
        }
        Ok(())
    }

    async fn read(&self, tx: &mut Tx, today: NaiveDate, period: &Period) -> Result<Material> {
        let mut material = Material::default();
        let census = period.census_day(today);
        let quantities: BTreeSet<_> = self.measures.iter().filter_map(|it| it.quantity()).collect();
        for quantity in quantities {
            let days = (period.starts_on, period.ends_on);
            for line in store::cell::sums(tx, self.trust_id, quantity, days).await? {
                material.sums.entry((line.school_id, quantity)).or_default().push(line);
            }
        }
        let mut stocks: BTreeSet<_> = self.measures.iter().filter_map(|it| it.stock()).collect();
        if self.measures.iter().any(|it| it.of == Whose::Staff) {
            stocks.insert(Quantity::Staff);
        }
        for quantity in stocks {
            for line in store::cell::sums(tx, self.trust_id, quantity, (FIRST, census)).await? {
                *material.stocks.entry((line.school_id, quantity)).or_default() += line.sums.sum;
            }
        }
        for (school_id, roll) in &self.rolls {
            let mut standings: Vec<_> = roll.on(census).into_iter().flatten().collect();
            if roll.has_forgotten() {
                let left = store::privacy::remainder::on_roll(tx, *school_id, census).await?;
                standings.extend(left.into_iter().flat_map(|(it, number)| repeat_n(it, number)));
            }
            material.standings.insert(*school_id, standings);
        }
        Ok(material)
    }

    fn tell(
        &self,
        measure: &'static FactMeasure,
        school: &School,
        period: &Period,
        material: &Material,
        lines: &mut Vec<Shown>,
    ) {
        let speaks = measure.kind.is_some_and(|kind| {
            let mut feeds = self.feeds.iter();
            feeds.any(|it| it.kinds.contains(&kind) && it.speaks_for(school.school_id))
        });
        let told = material.told(measure, school.school_id);
        let silence_is_none = speaks || !told.is_empty();
        for (subject, point) in self.subjects(measure, told) {
            let of = |part| known(measure, material, school.school_id, (subject, point), part);
            let mut put = |part, figure| {
                lines.push(line(measure, school, period, (subject, point), part, figure));
            };
            match self.split {
                Split::Whole => {
                    if let Some(figure) = measure.whole(&of(Part::All), silence_is_none) {
                        put(Part::All, figure);
                    }
                }
                Split::YearGroups => {
                    let parts = material.year_groups(measure, school.school_id).into_iter();
                    let parts: BTreeMap<_, _> =
                        parts.map(Part::YearGroup).map(|it| (it, of(it))).collect();
                    let told = measure.parts(&parts, silence_is_none);
                    for (part, figure) in told {
                        put(part, figure);
                    }
                }
                Split::Groups => {
                    for (group, figure) in in_groups(measure, silence_is_none, of) {
                        put(Part::In(group), figure);
                    }
                }
                Split::Group(asked) => {
                    let groups = in_groups(measure, silence_is_none, of).into_iter();
                    for (group, figure) in groups.filter(|it| it.0 == asked) {
                        put(Part::In(group), figure);
                    }
                }
            }
        }
    }

    /// The subjects and assessment points there are values of; one without either where a measure has none.
    fn subjects<'t>(
        &self,
        measure: &FactMeasure,
        told: &'t [Line],
    ) -> BTreeSet<(&'t str, &'t str)> {
        if measure.over != Over::Count {
            return if self.subject.is_none() {
                BTreeSet::from([("", "")])
            } else {
                BTreeSet::new()
            };
        }
        let wanted = |it: &&Line| self.subject.is_none_or(|subject| it.subject == subject);
        let told = told.iter().filter(wanted);
        told.map(|it| (it.subject.as_str(), it.point.as_str())).collect()
    }
}

impl Material {
    fn told(&self, measure: &FactMeasure, school_id: SchoolId) -> &[Line] {
        let lines = measure.quantity().and_then(|it| self.sums.get(&(school_id, it)));
        lines.map_or(&[], Vec::as_slice)
    }

    /// Those that anything is known of.
    fn year_groups(&self, measure: &FactMeasure, school_id: SchoolId) -> BTreeSet<i8> {
        let told = self.told(measure, school_id).iter().filter_map(|it| it.standing);
        let on_roll = self.standings.get(&school_id).into_iter().flatten().copied();
        let on_roll = on_roll.filter(|_| measure.over != Over::Count);
        told.chain(on_roll).map(|it| it.year_group).collect()
    }
}

/// The values of groups, hidden as those of attendance are: by what the characteristics that tell of one another divide
/// the pupils into.
fn in_groups(
    measure: &FactMeasure,
    silence_is_none: bool,
    of: impl Fn(Part) -> Known,
) -> Vec<(Group, std::result::Result<Figure, Absent>)> {
    let mut told = Vec::new();
    for group in Group::all() {
        let people = |part| measure.people(&of(part)).unwrap_or(0);
        if people(Part::In(group)) == 0 {
            continue;
        }
        let family = group.family();
        let parts = family.subsets().map(|it| (it, people(Part::Exactly(family, it))));
        let parts = hidden(parts.filter(|it| it.1 > 0).collect());
        let known = of(Part::In(group));
        let Some(figure) = measure.figure(&known, silence_is_none) else { continue };
        let is_shown = is_alike(group, &parts);
        told.push((group, if is_shown { Ok(figure) } else { Err(Absent::Suppressed) }));
    }
    told
}

fn known(
    measure: &FactMeasure,
    material: &Material,
    school_id: SchoolId,
    (subject, point): (&str, &str),
    part: Part,
) -> Known {
    let told = material.told(measure, school_id).iter();
    let sums = told
        .filter(|it| it.subject == subject && it.point == point)
        .filter(|it| part.holds(it.standing.as_ref()))
        .fold(None, |sums: Option<Sums>, it| {
            let mut sums = sums.unwrap_or_default();
            sums += it.sums;
            Some(sums)
        });
    let standings = material.standings.get(&school_id);
    let counted = standings.into_iter().flatten().filter(|it| part.holds(Some(it)));
    let having =
        |it: &&Standing| matches!(measure.top, Top::Having(flag) if it.flags.contains(flag));
    let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    let stock = |quantity| material.stocks.get(&(school_id, quantity)).copied().unwrap_or(0);
    Known {
        sums,
        roll: standings.is_some().then(|| number(counted.clone().count())),
        having: number(counted.filter(having).count()),
        stock: measure.stock().map_or(0, stock),
        staff: stock(Quantity::Staff),
    }
}

fn line(
    measure: &FactMeasure,
    school: &School,
    period: &Period,
    (subject, point): (&str, &str),
    part: Part,
    figure: std::result::Result<Figure, Absent>,
) -> Shown {
    let some = |it: &str| (!it.is_empty()).then(|| it.to_owned());
    let (year_group, group) = match part {
        Part::All | Part::Exactly(..) => (None, None),
        Part::YearGroup(it) => (Some(it), None),
        Part::In(group) => (None, Some(group.to_string())),
    };
    Shown {
        measure: measure.key.clone(),
        urn: school.urn.clone(),
        year_group,
        group,
        subject: some(subject),
        point: some(point),
        period: *period,
        figure,
        report: None,
    }
}
