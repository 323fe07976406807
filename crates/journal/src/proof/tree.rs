//! The Merkle tree of RFC 9162, 2.1 as arithmetic over hashes: which subtrees make a proof, and whether a proof holds.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::Refused;

pub type Hash = [u8; 32];

/// The hash over two subtrees.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new_with_prefix([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// The root over complete subtrees that stand beside each other, largest first; of no leaves the hash of nothing.
pub(crate) fn root_of(peaks: &[Hash]) -> Hash {
    let folded = peaks.iter().rev().copied().reduce(|right, left| node(&left, &right));
    folded.unwrap_or_else(|| Sha256::digest([]).into())
}

/// The complete subtrees (level, index) that cover a span, largest first. The span is one that a tree is cut into: it
/// begins at a multiple of the power of two it fits in.
pub(crate) fn subtrees(span: &Range<u64>) -> Vec<(u8, u64)> {
    let mut cover = Vec::new();
    let mut from = span.start;
    while from < span.end {
        let level = (span.end - from).ilog2();
        cover.push((u8::try_from(level).unwrap_or(u8::MAX), from >> level));
        from += 1 << level;
    }
    cover
}

/// Where a span of more than one leaf parts: the largest power of two below its width.
fn middle(span: &Range<u64>) -> u64 {
    span.start + (1 << (span.end - span.start - 1).ilog2())
}

/// The spans whose roots prove that a leaf is in a tree (RFC 9162, 2.1.3.1). `index` is below `size`.
pub(crate) fn inclusion(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut span, mut path) = (0..size, Vec::new());
    while span.end - span.start > 1 {
        let middle = middle(&span);
        if index < middle {
            path.push(middle..span.end);
            span.end = middle;
        } else {
            path.push(span.start..middle);
            span.start = middle;
        }
    }
    path.reverse();
    path
}

/// The spans whose roots prove that a tree is the beginning of another (RFC 9162, 2.1.4.1). `1 ≤ first ≤ second`.
pub(crate) fn consistency(first: u64, second: u64) -> Vec<Range<u64>> {
    let (mut span, mut path) = (0..second, Vec::new());
    while span.end > first {
        let middle = middle(&span);
        if first <= middle {
            path.push(middle..span.end);
            span.end = middle;
        } else {
            path.push(span.start..middle);
            span.start = middle;
        }
    }
    // The first tree itself is known to whoever asks; a part of it is not.
    if span.start > 0 {
        path.push(span);
    }
    path.reverse();
    path
}

/// Checks that a leaf is in the tree of that size and root (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), Refused> {
    if index >= size {
        return Err(Refused("the leaf lies beyond the tree"));
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(Refused("the proof is too long"));
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            (at, last) = skip(at, last);
        } else {
            hash = node(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(Refused("the proof is too short"));
    }
    if hash != *root {
        return Err(Refused("the proof does not lead to the root"));
    }
    Ok(())
}

/// Checks that the tree of one size and root is the beginning of another (RFC 9162, 2.1.4.2).
pub fn verify_consistency(
    first: u64,
    first_root: &Hash,
    second: u64,
    second_root: &Hash,
    proof: &[Hash],
) -> Result<(), Refused> {
    if first == 0 || first > second {
        return Err(Refused("the first tree must hold a leaf, and not more than the second"));
    }
    let mut path = proof.iter();
    if first == second {
        let same = first_root == second_root && path.next().is_none();
        return same.then_some(()).ok_or(Refused("two roots of one size"));
    }
    let start = if first.is_power_of_two() { Some(first_root) } else { path.next() };
    let start = start.ok_or(Refused("the proof is too short"))?;
    let (mut at, mut last) = (first - 1, second - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut old, mut new) = (*start, *start);
    for sibling in path {
        if last == 0 {
            return Err(Refused("the proof is too long"));
        }
        if at & 1 == 1 || at == last {
            old = node(sibling, &old);
            new = node(sibling, &new);
            (at, last) = skip(at, last);
        } else {
            new = node(&new, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(Refused("the proof is too short"));
    }
    if old != *first_root || new != *second_root {
        return Err(Refused("the proof does not lead to both roots"));
    }
    Ok(())
}

/// Climbs past the levels at which the rightmost subtree has no sibling.
fn skip(at: u64, last: u64) -> (u64, u64) {
    let levels = if at == 0 { 0 } else { at.trailing_zeros() };
    (at >> levels, last >> levels)
}

/// A tree that grows leaf by leaf and remembers no more than its complete subtrees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Adds a leaf; gives every subtree (level, index, hash) it completes, but for the leaf itself.
    pub(crate) fn push(&mut self, leaf: Hash) -> Vec<(u8, u64, Hash)> {
        let (mut hash, mut done) = (leaf, Vec::new());
        for level in 1..=u8::try_from(self.size.trailing_ones()).unwrap_or(u8::MAX) {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
                done.push((level, self.size >> level, hash));
            }
        }
        self.peaks.push(hash);
        self.size += 1;
        done
    }

    pub(crate) fn root(&self) -> Hash {
        root_of(&self.peaks)
    }
}
