//! What the people of a trust may do: its groups, as it has mapped them to roles.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use contract::{common::Audience, registry::Role};
use rpc::{Allowance, Caller, Permit, Person, Reach, Scope};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::people::Claims;

/// Where the people of a trust sign in.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) trust_id: Uuid,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) groups_claim: String,
    pub(crate) mappings: Vec<Mapping>,
}

#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) group: String,
    pub(crate) role: Role,
    pub(crate) audience: Audience,
    /// Every school of the trust when none.
    pub(crate) schools: Option<BTreeSet<Uuid>>,
    pub(crate) named: bool,
}

/// What somebody in a role may do.
fn scopes(role: Role) -> &'static [Scope] {
    match role {
        Role::Unspecified => &[],
        Role::Reader => &[Scope::RegistryRead, Scope::IntelligenceRead, Scope::ImprovementRead],
        Role::Editor => &[
            Scope::RegistryRead,
            Scope::RegistryWrite,
            Scope::IntelligenceRead,
            Scope::IntelligenceWrite,
            Scope::ImprovementRead,
            Scope::ImprovementWrite,
        ],
        Role::Administrator => &[
            Scope::RegistryRead,
            Scope::RegistryWrite,
            Scope::IntelligenceRead,
            Scope::IntelligenceWrite,
            Scope::ImprovementRead,
            Scope::JournalRead,
            Scope::AccessRead,
            Scope::AccessWrite,
            Scope::WebhooksRead,
            Scope::WebhooksWrite,
        ],
        Role::DataProtection => &[
            Scope::RegistryRead,
            Scope::RecordsRead,
            Scope::JournalRead,
            Scope::AccessRead,
            Scope::PrivacyRead,
            Scope::PrivacyWrite,
        ],
    }
}

impl Provider {
    /// A person whom it vouches for, with what the groups come to. One in no mapped group may do nothing.
    pub(crate) fn caller(&self, claims: &Claims) -> Caller {
        let groups = claims.groups(&self.groups_claim);
        let own: Vec<_> = self.mappings.iter().filter(|it| groups.contains(&*it.group)).collect();
        let allowances: Vec<_> = own
            .iter()
            .map(|it| Allowance {
                scopes: scopes(it.role).iter().map(|it| i32::from(*it)).collect(),
                schools: it.schools.clone(),
                kinds: None,
                named: it.named,
                purpose: it.role.as_str_name().to_ascii_lowercase().replacen('_', ":", 1),
            })
            .collect();
        let scopes = allowances.iter().flat_map(|it| it.scopes.iter().copied()).collect();
        let audiences = own.iter().map(|it| i32::from(it.audience)).collect();
        Caller {
            client_id: pseudonym(&self.issuer, &claims.sub),
            reach: Reach::Trust(self.trust_id),
            scopes,
            permit: Arc::new(Permit::Granted(allowances)),
            person: Some(Arc::new(Person { audiences })),
        }
    }
}

/// What a person is called in journals: always the same, and nobody's name.
fn pseudonym(issuer: &str, subject: &str) -> String {
    let hash =
        Sha256::new().chain_update(issuer).chain_update([0]).chain_update(subject).finalize();
    let short = hash.get(..16).unwrap_or_default();
    format!("person:{}", BASE64_URL_SAFE_NO_PAD.encode(short))
}

#[cfg(test)]
mod tests {
    use rpc::Asked;
    use serde_json::json;

    use super::*;

    fn caller(groups: &serde_json::Value) -> Caller {
        let mapping = |group: &str, role, audience, school: Option<u128>, named| Mapping {
            group: group.to_owned(),
            role,
            audience,
            schools: school.map(|it| [Uuid::from_u128(it)].into()),
            named,
        };
        let provider = Provider {
            trust_id: Uuid::nil(),
            issuer: "https://issuer".to_owned(),
            audience: "headway".to_owned(),
            groups_claim: "groups".to_owned(),
            mappings: vec![
                mapping("heads", Role::Editor, Audience::SchoolLeader, Some(1), true),
                mapping("board", Role::Reader, Audience::Board, None, false),
                mapping("it", Role::Administrator, Audience::Executive, None, false),
            ],
        };
        let claims = json!({"sub": "ann@example.org", "groups": groups});
        provider.caller(&serde_json::from_value(claims).unwrap())
    }

    #[test]
    fn groups_become_roles_audiences_and_schools() {
        let head = caller(&json!(["heads", "nobody's"]));
        let at = |school, named| Asked {
            school: Some((Uuid::from_u128(school), "123456")),
            named,
            ..Asked::default()
        };
        assert!(head.permit.covers(Scope::ImprovementWrite, &at(1, true)));
        assert!(!head.permit.covers(Scope::ImprovementWrite, &at(2, false)), "another school");
        assert!(!head.permit.covers(Scope::AccessWrite, &at(1, false)), "no administrator");
        let audiences = |it: &Caller| it.person.as_ref().unwrap().audiences.clone();
        assert_eq!(audiences(&head), [Audience::SchoolLeader.into()].into());
        let both = caller(&json!(["heads", "board"]));
        assert!(both.permit.covers(Scope::RegistryRead, &at(2, false)));
        assert!(!both.permit.covers(Scope::RegistryRead, &at(2, true)), "names of another school");
        assert_eq!(audiences(&both).len(), 2);
        assert!(caller(&json!("it")).permit.gives(Scope::AccessWrite), "a claim of one text");
        assert!(caller(&json!(null)).scopes.is_empty());
    }

    #[test]
    fn nobodys_name_gets_into_a_journal() {
        let ann = caller(&json!([])).client_id;
        assert!(ann.starts_with("person:") && !ann.contains("ann"), "{ann}");
        assert_eq!(ann, pseudonym("https://issuer", "ann@example.org"));
        assert_ne!(ann, pseudonym("https://other", "ann@example.org"));
    }

    #[test]
    fn no_role_of_a_trust_has_a_scope_of_the_platform() {
        for role in [Role::Reader, Role::Editor, Role::Administrator, Role::DataProtection] {
            for scope in [Scope::PlatformWrite, Scope::DirectoryRead, Scope::JournalOperate] {
                assert!(!scopes(role).contains(&scope), "{role:?}");
            }
        }
    }
}
