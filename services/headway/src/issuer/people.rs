use contract::{common::Audience, registry::Role};

/// Somebody of the demonstration, in a group of the same name.
#[derive(Debug)]
pub(crate) struct Person {
    /// Who signs in, and the group that the trust maps.
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) post: &'static str,
    pub(crate) role: Role,
    pub(crate) audience: Audience,
    /// Whether the trust lets people of this post see its first school only.
    pub(crate) one_school: bool,
}

/// Invented, as everything of the demonstration is.
pub(crate) const PEOPLE: [Person; 7] = [
    Person {
        id: "chair",
        name: "Amira Hall",
        post: "Chair of trustees",
        role: Role::Reader,
        audience: Audience::Board,
        one_school: false,
    },
    Person {
        id: "chief-executive",
        name: "Tom Okafor",
        post: "Chief executive",
        role: Role::Editor,
        audience: Audience::Executive,
        one_school: false,
    },
    Person {
        id: "head",
        name: "Grace Lindley",
        post: "Headteacher of one school",
        role: Role::Editor,
        audience: Audience::SchoolLeader,
        one_school: true,
    },
    Person {
        id: "subject-leader",
        name: "Ravi Menon",
        post: "Subject leader at one school",
        role: Role::Reader,
        audience: Audience::MiddleLeader,
        one_school: true,
    },
    Person {
        id: "teacher",
        name: "Ella Marsh",
        post: "Teacher at one school",
        role: Role::Reader,
        audience: Audience::Teacher,
        one_school: true,
    },
    Person {
        id: "it-manager",
        name: "Sam Whitlock",
        post: "IT manager of the trust",
        role: Role::Administrator,
        audience: Audience::Executive,
        one_school: false,
    },
    Person {
        id: "data-protection",
        name: "Nadia Brook",
        post: "Data protection officer",
        role: Role::DataProtection,
        audience: Audience::Executive,
        one_school: false,
    },
];
