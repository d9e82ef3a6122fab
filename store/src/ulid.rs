//! Unique ids whose text sorts by time, in the form that Quickwit uses (ULID: 48 bits of milliseconds, 80 random bits).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

pub fn ulid() -> String {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
    // Each `RandomState` is seeded anew; unguessable is not asked for here.
    let random = || u128::from(RandomState::new().build_hasher().finish());
    let value = (millis << 80) | ((random() << 16 ^ random()) & ((1 << 80) - 1));
    (0..26).rev().map(|digit| char::from(ALPHABET[(value >> (5 * digit) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::ulid;

    #[test]
    fn ids_differ_and_have_26_digits() {
        let (one, other) = (ulid(), ulid());
        assert_eq!((one.len(), other.len()), (26, 26));
        assert_ne!(one, other);
    }
}
