//! Changes an input a little: at random, but the same for the same seed.

/// SplitMix64: small, fast, and good enough to choose by.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { (self.next() % limit as u64) as usize }
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Inputs do not grow beyond this: deeper is found by nesting, not by length.
const MAX_BYTES: usize = 16 << 10;

/// Numbers at which code tends to break.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1",
    "0.5",
    "-2.5",
    "1e308",
    "1e-308",
    "1e999",
    "NaN",
    "255",
    "256",
    "65000",
    "65001",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1768471200000000000",
];

/// One to four changes to `input`; pieces come from `others` and `words`.
pub fn mutate(input: &[u8], is_text: bool, others: &[Vec<u8>], words: &[&str], rng: &mut Rng) -> Vec<u8> {
    let mut changed = input.to_vec();
    for _ in 0..=rng.below(4) {
        if is_text && rng.below(4) > 0 {
            tokens(&mut changed, others, words, rng);
        } else {
            bytes(&mut changed, others, rng);
        }
    }
    changed.truncate(MAX_BYTES);
    changed
}

fn bytes(input: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.below(input.len() + 1);
    let end = at + rng.below((input.len() - at).min(32) + 1);
    match rng.below(8) {
        0 if at < input.len() => input[at] ^= 1 << rng.below(8),
        1 if at < input.len() => input[at] = *rng.pick(&[0, 1, 0x7f, 0x80, 0xff, b'\\', b'"', b'\n']),
        2 => drop(input.drain(at..end)),
        3 => {
            let copy = input[at..end].to_vec();
            input.splice(at..at, copy);
        }
        4 => input.truncate(at),
        5 => input.insert(at, rng.below(256) as u8),
        6 => {
            let other: &Vec<u8> = rng.pick(others);
            let from = rng.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let other: &Vec<u8> = rng.pick(others);
            let from = rng.below(other.len() + 1);
            let until = from + rng.below((other.len() - from).min(64) + 1);
            input.splice(at..at, other[from..until].iter().copied());
        }
    }
}

fn tokens(input: &mut Vec<u8>, others: &[Vec<u8>], words: &[&str], rng: &mut Rng) {
    let mut list = split(input);
    let at = rng.below(list.len());
    let end = (at + 1 + rng.below(6)).min(list.len());
    match rng.below(9) {
        0 => drop(list.drain(at.min(end)..end)),
        1 => {
            let copy = list[at.min(end)..end].to_vec();
            list.splice(at..at, copy);
        }
        2 | 3 => list.insert(at, rng.pick(words).as_bytes().to_vec()),
        4 if at < list.len() => list[at] = rng.pick(words).as_bytes().to_vec(),
        5 => {
            let numbers: Vec<usize> = (0..list.len()).filter(|&n| list[n][0].is_ascii_digit()).collect();
            match numbers.is_empty() {
                true => list.insert(at, rng.pick(NUMBERS).as_bytes().to_vec()),
                false => list[*rng.pick(&numbers)] = rng.pick(NUMBERS).as_bytes().to_vec(),
            }
        }
        6 => {
            let other: &Vec<u8> = rng.pick(others);
            let other = split(other);
            let from = rng.below(other.len());
            let until = (from + 1 + rng.below(12)).min(other.len());
            list.splice(at..at, other[from.min(until)..until].iter().cloned());
        }
        7 if !list.is_empty() => {
            let (one, other) = (rng.below(list.len()), rng.below(list.len()));
            list.swap(one, other);
        }
        _ => {
            // Nesting: the usual way to exhaust a stack.
            let (open, close) =
                *rng.pick(&[("(", ")"), ("{", "}"), ("[", "]"), ("!(", ")"), ("{\"a\":", "}"), ("-", "")]);
            let depth = 1 << rng.below(10);
            let inner: Vec<u8> = list[at.min(end)..end].concat();
            let wrapped = [open.repeat(depth).into_bytes(), inner, close.repeat(depth).into_bytes()].concat();
            list.splice(at.min(end)..end, [wrapped]);
        }
    }
    *input = list.concat();
}

/// Words, numbers, and every other byte for itself; joined they are the input again.
fn split(input: &[u8]) -> Vec<Vec<u8>> {
    let class = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => 1,
        b'0'..=b'9' => 2,
        b' ' => 3,
        _ => 0,
    };
    let mut list: Vec<Vec<u8>> = Vec::new();
    for &byte in input {
        match list.last_mut() {
            Some(last) if class(byte) != 0 && class(last[0]) == class(byte) => last.push(byte),
            _ => list.push(vec![byte]),
        }
    }
    list
}
