//! Lists that end: an opaque cursor bound to the filters it was made under, and a page size refused above its cap.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{Error, Fault, Reason, Result};

/// Items of a page when its size is not said, and at the most.
pub const PAGES: (u32, u32) = (50, 500);

/// One page of a list ordered by a key.
#[derive(Clone, Debug)]
pub struct Page<K> {
    size: u32,
    /// The last key of the page before.
    pub after: Option<K>,
    filters: String,
}

impl<K: Serialize + DeserializeOwned> Page<K> {
    /// Reads `page_size` and `page_token`; `filters` is everything else that shapes the list.
    pub fn parse(
        size: Option<u32>,
        token: Option<&str>,
        filters: &impl Serialize,
        (default, cap): (u32, u32),
    ) -> Result<Self> {
        let size = size.unwrap_or(default);
        if size == 0 || size > cap {
            let fault = Fault::invalid(format!("must be 1 to {cap}"));
            return Err(Error::field("/pageSize", fault));
        }
        let filters = digest(filters)?;
        let after = token.filter(|it| !it.is_empty()).map(|it| open(it, &filters)).transpose()?;
        Ok(Self { size, after, filters })
    }

    /// One more than the page holds, to learn whether there is another.
    pub fn limit(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// The page's items and the token of the next page, from at most [`Page::limit`] items.
    pub fn cut<T>(
        &self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<(Vec<T>, Option<String>)> {
        let size = self.size as usize;
        if items.len() <= size {
            return Ok((items, None));
        }
        items.truncate(size);
        let token = items.last().map(|it| self.token(&key(it))).transpose()?;
        Ok((items, token))
    }

    /// The token of what follows a key, in a list of the same filters.
    pub fn token(&self, last: &K) -> Result<String> {
        let token = serde_json::to_vec(&(&self.filters, last)).map_err(Error::internal)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(token))
    }
}

/// What a page holds, gathered from stretches of [`Page::limit`] items at the most, of which some are passed over: the page
/// is as full as any other.
#[derive(Debug)]
pub struct Gathered<T, K> {
    pub items: Vec<T>,
    /// Where the next stretch begins.
    pub after: Option<K>,
    wanted: usize,
    is_last: bool,
}

impl<T, K: Clone> Gathered<T, K> {
    pub fn of(page: &Page<K>) -> Self {
        let wanted = page.size as usize + 1;
        Self { items: Vec::new(), after: page.after.clone(), wanted, is_last: false }
    }

    pub fn is_done(&self) -> bool {
        self.is_last || self.items.len() == self.wanted
    }

    /// Takes of a stretch what is to be seen.
    pub fn take(&mut self, stretch: Vec<T>, key: impl Fn(&T) -> K, is_seen: impl Fn(&T) -> bool) {
        self.is_last = stretch.len() < self.wanted;
        self.after = stretch.last().map(key);
        self.items.extend(stretch.into_iter().filter(is_seen));
        self.items.truncate(self.wanted);
    }
}

fn digest(filters: &impl Serialize) -> Result<String> {
    let bytes = serde_json::to_vec(filters).map_err(Error::internal)?;
    let hash = Sha256::digest(bytes);
    Ok(BASE64_URL_SAFE_NO_PAD.encode(hash.get(..9).unwrap_or_default()))
}

fn open<K: DeserializeOwned>(token: &str, filters: &str) -> Result<K> {
    BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<(String, K)>(&bytes).ok())
        .filter(|(bound, _)| bound == filters)
        .map(|(_, key)| key)
        .ok_or_else(|| {
            let detail = "is not a page token of this list with these filters; begin without one";
            let fault = Fault::new(Reason::PageTokenInvalid, detail);
            let mut error = Error::field("/pageToken", fault);
            error.reason = Reason::PageTokenInvalid;
            error
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pages of a list of which some items are passed over.
    fn listed(all: &[u32], is_seen: fn(&u32) -> bool) -> Vec<u32> {
        let (mut seen, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = Page::<u32>::parse(Some(10), token.as_deref(), &"x", (5, 10)).unwrap();
            let mut found = Gathered::of(&page);
            while !found.is_done() {
                let rest = all.iter().copied().filter(|it| found.after.is_none_or(|at| *it > at));
                let stretch = rest.take(usize::try_from(page.limit()).unwrap()).collect();
                found.take(stretch, |it| *it, is_seen);
            }
            let (items, next) = page.cut(found.items, |it| *it).unwrap();
            assert!(next.is_none() || items.len() == 10, "a page is full where another follows");
            seen.extend(items);
            token = next;
            if token.is_none() {
                return seen;
            }
        }
    }

    #[test]
    fn every_item_comes_once_and_the_list_ends() {
        let seen: [fn(&u32) -> bool; 4] =
            [|_| true, |it| it % 3 == 0, |it| *it > 100, |it| *it == 0];
        for length in [0, 1, 10, 11, 25, 110] {
            let all: Vec<u32> = (0..length).collect();
            for is_seen in seen {
                let expected: Vec<u32> = all.iter().copied().filter(is_seen).collect();
                assert_eq!(listed(&all, is_seen), expected);
            }
        }
    }

    #[test]
    fn a_token_is_bound_to_its_filters() {
        let page = Page::<u32>::parse(Some(1), None, &"a", (1, 1)).unwrap();
        let (_, token) = page.cut(vec![1, 2], |it| *it).unwrap();
        let error = Page::<u32>::parse(Some(1), token.as_deref(), &"b", (1, 1)).unwrap_err();
        assert_eq!(error.reason, Reason::PageTokenInvalid);
    }

    #[test]
    fn a_page_above_the_cap_is_refused() {
        assert!(Page::<u32>::parse(Some(11), None, &"", (5, 10)).is_err());
        assert!(Page::<u32>::parse(Some(0), None, &"", (5, 10)).is_err());
    }
}
