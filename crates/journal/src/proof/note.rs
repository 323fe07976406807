//! Checkpoints as anyone can read them: a C2SP tlog-checkpoint in a C2SP signed note, Ed25519.
//!
//! <https://c2sp.org/tlog-checkpoint>, <https://c2sp.org/signed-note>

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::{Hash, Refused};

/// Ed25519, among the kinds of signature a note may carry.
const ED25519: u8 = 1;
/// A note's text and its signatures together, in bytes: no checkpoint of ours comes near.
const LIMIT: usize = 16 << 10;

/// What a checkpoint says: of which log, how many leaves, and the root over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64_STANDARD.encode(self.root))
    }
}

impl Statement {
    fn parse(text: &str) -> Result<Self, Refused> {
        let wrong = || Refused("the note does not hold a checkpoint");
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(wrong());
        };
        let parsed: u64 = size.parse().map_err(|_| wrong())?;
        let root = BASE64_STANDARD.decode(root).map_err(|_| wrong())?;
        let root = root.try_into().map_err(|_| wrong())?;
        // A size has one spelling: "+1" and "01" are other texts.
        if parsed.to_string() != size || origin.is_empty() {
            return Err(wrong());
        }
        Ok(Self { origin: origin.to_owned(), size: parsed, root })
    }
}

/// A public key under the name of a log, as `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
}

impl Verifier {
    pub fn new(name: &str, key: VerifyingKey) -> Self {
        Self { name: name.to_owned(), key }
    }

    /// Reads a verifier key.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let wrong = || Refused("not a verifier key: name+id+key");
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let key = BASE64_STANDARD.decode(key).map_err(|_| wrong())?;
        let key = key.strip_prefix(&[ED25519]).ok_or_else(wrong)?;
        let key = VerifyingKey::try_from(key).map_err(|_| wrong())?;
        let verifier = Self::new(name, key);
        if verifier.to_string() != text || id.len() != 8 {
            return Err(wrong());
        }
        Ok(verifier)
    }

    fn encoded(&self) -> Vec<u8> {
        [&[ED25519], self.key.as_bytes().as_slice()].concat()
    }

    /// Tells keys of one name apart: the beginning of SHA-256 over name and key.
    fn id(&self) -> [u8; 4] {
        let mut hash = Sha256::new();
        hash.update(&self.name);
        hash.update(b"\n");
        hash.update(self.encoded());
        let [a, b, c, d, ..]: Hash = hash.finalize().into();
        [a, b, c, d]
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, BASE64_STANDARD.encode(self.encoded()))
    }
}

/// Signs a statement with each key, under the name of its log.
pub(crate) fn sign(statement: &Statement, keys: &[SigningKey]) -> String {
    sign_text(&statement.to_string(), &statement.origin, keys)
}

/// Signs a text, which ends with a line's end, with each key under the name of a log. What is not a checkpoint must not
/// begin as one does: with the log's origin.
pub(crate) fn sign_text(text: &str, origin: &str, keys: &[SigningKey]) -> String {
    let lines = keys.iter().map(|key| {
        let id = Verifier::new(origin, key.verifying_key()).id();
        let signature = key.sign(text.as_bytes()).to_bytes();
        let signature = BASE64_STANDARD.encode([&id[..], &signature].concat());
        format!("\u{2014} {origin} {signature}\n")
    });
    format!("{text}\n{}", lines.collect::<String>())
}

/// Reads what a checkpoint says, once one of these keys has signed it. Signatures of keys we do not know are passed over;
/// a wrong one of a key we know condemns the note.
pub fn open(note: &str, keys: &[Verifier]) -> Result<Statement, Refused> {
    Statement::parse(&open_text(note, keys)?)
}

/// The text of any note that one of these keys has signed.
pub fn open_text(note: &str, keys: &[Verifier]) -> Result<String, Refused> {
    let wrong = || Refused("not a signed note");
    if note.len() > LIMIT || note.chars().any(|it| it < ' ' && it != '\n') {
        return Err(wrong());
    }
    let (text, signatures) = note.rsplit_once("\n\n").ok_or_else(wrong)?;
    let text = format!("{text}\n");
    let signatures = signatures.strip_suffix('\n').ok_or_else(wrong)?;
    let mut signed = false;
    for line in signatures.split('\n') {
        let rest = line.strip_prefix("\u{2014} ").ok_or_else(wrong)?;
        let (name, signature) = rest.split_once(' ').ok_or_else(wrong)?;
        let bytes = BASE64_STANDARD.decode(signature).map_err(|_| wrong())?;
        let (id, signature) = bytes.split_at_checked(4).ok_or_else(wrong)?;
        let known = keys.iter().filter(|it| it.name == name && it.id() == id);
        for verifier in known {
            Signature::from_slice(signature)
                .and_then(|it| verifier.key.verify_strict(text.as_bytes(), &it))
                .map_err(|_| Refused("the signature of the checkpoint is not valid"))?;
            signed = true;
        }
    }
    if !signed {
        return Err(Refused("the checkpoint is not signed by a key of this journal"));
    }
    Ok(text)
}
