//! The tree as it is stored, against the tree as RFC 9162 defines it and against a crate that is not ours.

use ct_merkle::{
    ConsistencyProof, HashableLeaf, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256, digest::Update};

use super::*;
use crate::proof::{verify_consistency, verify_inclusion};

/// Tiers of hashes in memory, grown as the checkpointer grows the tables.
#[derive(Clone, Default)]
struct Kept(Vec<Vec<Hash>>);

impl Nodes for Kept {
    async fn read(&mut self, tier: u8, range: Range<u64>) -> Result<Vec<Hash>> {
        let tier = self.0.get(usize::from(tier)).map(Vec::as_slice).unwrap_or_default();
        let end = tier.len().min(usize::try_from(range.end).unwrap());
        Ok(tier.get(usize::try_from(range.start).unwrap()..end).unwrap_or_default().to_vec())
    }
}

impl Kept {
    /// Stores what the steps of a log complete; each step ends at a size.
    async fn grow(height: u8, steps: &[u64]) -> Self {
        let (mut kept, mut from) = (Self(vec![Vec::new(); 8]), 0);
        for to in steps {
            kept.0[0].extend((from..*to).map(leaf));
            let made = Tree::new(kept.clone(), height).complete(from, *to).await.unwrap();
            for (level, index, hash) in made {
                let tier = &mut kept.0[usize::from(level / height)];
                assert_eq!(u64::try_from(tier.len()).unwrap(), index, "in order, each once");
                tier.push(hash);
            }
            from = *to;
        }
        kept
    }
}

struct Entry(u64);

impl HashableLeaf for Entry {
    fn hash<H: ct_merkle::digest::Update>(&self, hasher: &mut H) {
        hasher.update(&self.0.to_be_bytes());
    }
}

fn leaf(index: u64) -> Hash {
    let mut hash = Sha256::new_with_prefix([0]);
    Update::update(&mut hash, &index.to_be_bytes());
    hash.finalize().into()
}

/// MTH of RFC 9162, 2.1.1, word for word.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            tree::node(&naive(left), &naive(right))
        }
    }
}

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(leaf).collect()
}

/// Every (index, size) and every (first, second) up to a size, over borders of tiles on several tiers.
#[tokio::test]
async fn every_proof_of_small_trees_holds() {
    const LARGEST: u64 = 150;
    for height in [1, 2, 3] {
        let kept = Kept::grow(height, &(1..=LARGEST).collect::<Vec<_>>()).await;
        let mut tree = Tree::new(kept, height);
        let roots: Vec<Hash> = (0..=LARGEST).map(|it| naive(&leaves(it))).collect();
        for size in 1..=LARGEST {
            let root = &roots[usize::try_from(size).unwrap()];
            assert_eq!(tree.root(size).await.unwrap(), *root);
            for index in 0..size {
                let proof = tree.inclusion(index, size).await.unwrap();
                verify_inclusion(&leaf(index), index, size, &proof, root).unwrap();
            }
            for first in 1..=size {
                let proof = tree.consistency(first, size).await.unwrap();
                let first_root = &roots[usize::try_from(first).unwrap()];
                verify_consistency(first, first_root, size, root, &proof).unwrap();
            }
        }
    }
}

/// However the log grew, the same nodes are kept, and a tree of stored height 8 crosses its border.
#[tokio::test]
async fn growing_in_any_steps_keeps_the_same() {
    for steps in [&[1, 255, 256, 257, 511, 512, 513, 700][..], &[700], &[300, 700]] {
        let kept = Kept::grow(HEIGHT, steps).await;
        assert_eq!(kept.0[1], [naive(&leaves(512)[..256]), naive(&leaves(512)[256..])]);
        let mut tree = Tree::new(kept, HEIGHT);
        for size in [1, 255, 256, 257, 511, 512, 513, 700] {
            let root = naive(&leaves(size));
            assert_eq!(tree.root(size).await.unwrap(), root);
            for index in (0..size).step_by(13).chain([size - 1]) {
                let proof = tree.inclusion(index, size).await.unwrap();
                verify_inclusion(&leaf(index), index, size, &proof, &root).unwrap();
            }
        }
    }
}

#[test]
fn a_frontier_has_the_root_of_the_tree() {
    let mut frontier = tree::Frontier::default();
    for size in 0..300 {
        assert_eq!(frontier.root(), naive(&leaves(size)));
        for (level, index, hash) in frontier.push(leaf(size)) {
            let span = usize::try_from(index << level).unwrap()
                ..usize::try_from((index + 1) << level).unwrap();
            assert_eq!(hash, naive(&leaves(size + 1)[span]));
        }
    }
}

/// A crate that is not ours finds the same roots and accepts our proofs.
#[tokio::test]
async fn another_implementation_agrees() {
    let kept = Kept::grow(2, &[100]).await;
    let mut ours = Tree::new(kept, 2);
    let mut theirs = MemoryBackedTree::<Sha256, Entry>::new();
    let mut roots: Vec<RootHash<Sha256>> = Vec::new();
    for size in 1..=100 {
        theirs.push(Entry(size - 1));
        roots.push(theirs.root());
        let root = theirs.root();
        assert_eq!(root.as_bytes().as_slice(), ours.root(size).await.unwrap());
        for index in 0..size {
            let proof = ours.inclusion(index, size).await.unwrap().concat();
            let proof = InclusionProof::try_from_bytes(proof).unwrap();
            root.verify_inclusion(&Entry(index), index, &proof).unwrap();
        }
        for first in 1..size {
            let proof = ours.consistency(first, size).await.unwrap().concat();
            let proof = ConsistencyProof::try_from_bytes(proof).unwrap();
            root.verify_consistency(&roots[usize::try_from(first - 1).unwrap()], &proof).unwrap();
        }
    }
}

proptest! {
    /// A proof for one leaf, tree or order of siblings proves no other.
    #[test]
    fn what_is_not_so_is_not_proved(size in 2_u64..600, at in 0_u64..600, flip in 0_usize..32, cut in 0_usize..9) {
        let index = at % size;
        let all = leaves(size);
        let root = naive(&all);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (proof, consistency) = runtime.block_on(async {
            let mut tree = Tree::new(Kept::grow(HEIGHT, &[size]).await, HEIGHT);
            (tree.inclusion(index, size).await.unwrap(), tree.consistency(index + 1, size).await.unwrap())
        });
        let holds = |leaf: &Hash, index, size, proof: &[Hash], root: &Hash| {
            verify_inclusion(leaf, index, size, proof, root).is_ok()
        };
        prop_assert!(holds(&leaf(index), index, size, &proof, &root));
        prop_assert!(!holds(&leaf(index + 1), index, size, &proof, &root), "another leaf");
        prop_assert!(!holds(&leaf(index), (index + 1) % size, size, &proof, &root), "another place");
        prop_assert!(!holds(&leaf(index), size, size, &proof, &root), "from the future");
        prop_assert!(!holds(&leaf(index), index, size, &proof, &naive(&all[1..])), "another tree");
        prop_assert!(!holds(&leaf(index), index, size, &proof[1..], &root), "truncated");
        prop_assert!(!holds(&leaf(index), index, size, &[&proof[..], &[root]].concat(), &root), "longer");
        let cut = cut % proof.len();
        let mut wrong = proof.clone();
        wrong[cut][flip] ^= 1;
        prop_assert!(!holds(&leaf(index), index, size, &wrong, &root), "a flipped bit");
        if proof.len() > 1 {
            let mut swapped = proof.clone();
            swapped.swap(0, 1);
            prop_assert!(!holds(&leaf(index), index, size, &swapped, &root), "swapped siblings");
        }
        let first = index + 1;
        let first_root = naive(&all[..usize::try_from(first).unwrap()]);
        let extends = |first, first_root: &Hash, proof: &[Hash], root: &Hash| {
            verify_consistency(first, first_root, size, root, proof).is_ok()
        };
        prop_assert!(extends(first, &first_root, &consistency, &root));
        prop_assert!(!extends(first, &leaf(9999), &consistency, &root), "another beginning");
        prop_assert!(!extends(first, &first_root, &consistency, &leaf(9999)), "another end");
        prop_assert!(!extends(size + 1, &first_root, &consistency, &root), "from the future");
        prop_assert!(!extends(0, &first_root, &consistency, &root), "of nothing");
        if !consistency.is_empty() {
            prop_assert!(!extends(first, &first_root, &consistency[1..], &root), "truncated");
            let cut = cut % consistency.len();
            let mut wrong = consistency.clone();
            wrong[cut][flip] ^= 1;
            prop_assert!(!extends(first, &first_root, &wrong, &root), "a flipped bit");
        }
    }
}
