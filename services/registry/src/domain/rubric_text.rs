use super::{phase::Phase, rubric::RubricDomain};

/// What a domain looks like in a phase, as something two visitors would both see.
pub(crate) fn descriptor(domain: RubricDomain, phase: Phase) -> &'static str {
    let [stabilise, repair, improve, sustain] = of(domain);
    match phase {
        Phase::Stabilise => stabilise,
        Phase::Repair => repair,
        Phase::Improve => improve,
        Phase::Sustain => sustain,
    }
}

/// The descriptors of one domain, from Stabilise to Sustain.
fn of(domain: RubricDomain) -> [&'static str; 4] {
    match domain {
        RubricDomain::Leadership => [
            "Senior posts are vacant, interim or changed within the year, and staff cannot say who decides what.",
            "A permanent head and a named senior team are in post, and staff name the same two or three priorities.",
            "Senior and middle leaders check their own areas, act on what they find and can show what changed.",
            "Leaders plan several years ahead, have successors ready for each key post and take on new fields of expertise.",
        ],
        RubricDomain::Governance => [
            "Minutes record no challenge; those governing learnt of the decline from outside the school.",
            "Those governing receive regular figures, ask about them, and follow up on what they asked last time.",
            "Those governing hold leaders to account at every meeting, with evidence of their own from visits and voice.",
            "The body reviews its own skills, recruits ahead of need and would notice a decline before any inspector.",
        ],
        RubricDomain::ExternalSupport => [
            "Outside help is absent, or came and left no trace in lessons, results or routines.",
            "A strong partner works in the school each week on agreed tasks, and the first of them are visibly done.",
            "Partners spend as much time verifying quality as doing the work, and the school decides what it asks for.",
            "Help from outside is chosen for particular ends, and as many visitors come to learn as to advise.",
        ],
        RubricDomain::Staffing => [
            "Many classes lack a permanent teacher, absence is high, and advertised posts attract no good field.",
            "Key posts are filled for the year, absence is falling, and cover is planned instead of found each morning.",
            "Nearly every class has a qualified permanent teacher, and people leave mostly for promotion.",
            "Posts draw strong fields, staff grow into wider roles, and a departure does not unsettle a team.",
        ],
        RubricDomain::Attendance => [
            "Attendance is among the lowest nationally, and persistent absence is neither explained nor pursued.",
            "Every absence is followed up on the day, and attendance is rising from month to month though still low.",
            "Attendance is near that of similar schools, and persistent absence falls in each group of pupils.",
            "Attendance is better than in similar schools for every group, year after year.",
        ],
        RubricDomain::Finance => [
            "The budget does not balance, or money was spent outside the rules, and nobody can forecast the year's end.",
            "A recovery plan is agreed, spending is controlled monthly, and forecasts come close to the outturn.",
            "The budget balances in the year, reserves meet the trust's policy, and spending follows the priorities.",
            "Three-year plans hold, reserves are steady, and money is set aside for what improves teaching next.",
        ],
        RubricDomain::Outcomes => [
            "Results in national tests are far below those of similar schools and have not risen in recent years.",
            "Work and assessments in school show clear gains in some years and subjects that national results do not yet show.",
            "National results have risen, and what younger pupils know gives good reason to expect that they will hold.",
            "Results are good in every year group and subject, and no group of pupils falls behind the others.",
        ],
        RubricDomain::Teaching => [
            "In most lessons seen pupils learn little, and what is taught does not follow a plan.",
            "An agreed curriculum is taught in most classes; strong lessons exist, mostly in a few teams.",
            "Most lessons in most subjects teach the intended curriculum well; the weaker ones are known and worked on.",
            "Teaching is strong everywhere; teachers refine it together and try out what research suggests.",
        ],
        RubricDomain::ProfessionalDevelopment => [
            "Staff receive little training, or one-off days that nobody follows up in the classroom.",
            "A programme runs for everyone on the school's priorities; its quality varies and it is the same for all.",
            "Training and coaching fit the needs of teams and individuals, and changes in practice are looked for.",
            "Everyone works on something of their own with a coach or group, and training prepares the next leaders.",
        ],
        RubricDomain::Behaviour => [
            "Corridors or lessons are at times unsafe, and staff and pupils say that rules are not kept.",
            "The site is calm and rules are known, but small disruptions still cost time in many lessons.",
            "Pupils mostly settle at once; disruption is limited to a few classes where it is being dealt with.",
            "Pupils are considerate without being told, lost time in lessons is rare, and pupils themselves say so.",
        ],
        RubricDomain::SystemContribution => [
            "The school needs all its people for itself and takes more help than it could offer.",
            "One or two people share something that works, within the trust, when asked.",
            "Teams open their classrooms to other schools and lend expertise without harm to their own pupils.",
            "The school plans to lend leaders and specialists, and other schools have improved through its help.",
        ],
    }
}
