//! Theta sketches and their kin with a summary for each key (tuple sketches).

use std::collections::BTreeMap;

/// What is kept beside a key: nothing for theta sketches, a number for tuple sketches.
pub type Summary = f64;

/// How summaries of one key become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    Sum,
    Min,
    Max,
    AlwaysOne,
}

impl Mode {
    /// By its name in SQL.
    pub fn named(text: &str) -> Option<Mode> {
        Some(match text.to_lowercase().as_str() {
            "sum" => Mode::Sum,
            "min" => Mode::Min,
            "max" => Mode::Max,
            "alwaysone" => Mode::AlwaysOne,
            _ => return None,
        })
    }

    /// Two summaries as one.
    pub fn merge(self, a: Summary, b: Summary) -> Summary {
        match self {
            Mode::Sum => a + b,
            Mode::Min => a.min(b),
            Mode::Max => a.max(b),
            Mode::AlwaysOne => 1.0,
        }
    }

    fn code(self) -> u8 {
        match self {
            Mode::Sum => 0,
            Mode::Min => 1,
            Mode::Max => 2,
            Mode::AlwaysOne => 3,
        }
    }
}

/// The hash below which every hash is kept, if none was dropped.
const MAX_THETA: u64 = i64::MAX as u64;
const SEED_HASH: [u8; 2] = [0xcc, 0x93];
const COMPACT: u8 = 3;
const TUPLE: u8 = 9;

/// Distinct keys by their hashes: all hashes below `theta`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sketch {
    pub theta: u64,
    pub entries: BTreeMap<u64, Summary>,
    /// No value was ever added.
    pub empty: bool,
}

impl Default for Sketch {
    fn default() -> Self {
        Sketch { theta: MAX_THETA, entries: BTreeMap::new(), empty: true }
    }
}

impl Sketch {
    /// Adds a key by the bytes of its value.
    pub fn update(&mut self, bytes: &[u8], summary: Summary, mode: Mode, nominal: usize) {
        self.empty = false;
        let hash = super::murmur::hash(bytes, super::murmur::SEED).0 >> 1;
        if hash == 0 || hash >= self.theta {
            return;
        }
        let first = if mode == Mode::AlwaysOne { 1.0 } else { summary };
        self.entries.entry(hash).and_modify(|s| *s = mode.merge(*s, summary)).or_insert(first);
        // The table holds up to 15/16 of twice the nominal entries before it is cut down.
        if self.entries.len() > nominal * 2 * 15 / 16 {
            self.cut(nominal);
        }
    }

    /// Keeps the `nominal` least hashes.
    pub fn cut(&mut self, nominal: usize) {
        if self.entries.len() <= nominal {
            return;
        }
        if let Some(theta) = self.entries.keys().nth(nominal).copied() {
            self.theta = theta;
            self.entries.split_off(&theta);
        }
    }

    fn fraction(&self) -> f64 {
        self.theta as f64 / MAX_THETA as f64
    }

    /// The share of hashes kept.
    pub fn theta(&self) -> f64 {
        if self.empty { 1.0 } else { self.fraction() }
    }

    /// The estimated number of distinct keys.
    pub fn estimate(&self) -> f64 {
        if self.theta == MAX_THETA { self.entries.len() as f64 } else { self.entries.len() as f64 / self.fraction() }
    }

    /// Keys of either.
    pub fn union(&mut self, other: &Sketch, mode: Mode, nominal: usize) {
        self.empty &= other.empty;
        self.theta = self.theta.min(other.theta);
        for (hash, summary) in &other.entries {
            self.entries.entry(*hash).and_modify(|s| *s = mode.merge(*s, *summary)).or_insert(*summary);
        }
        self.entries.split_off(&self.theta);
        self.cut(nominal);
    }

    /// Keys of both.
    pub fn intersection(&self, other: &Sketch, mode: Mode) -> Sketch {
        let theta = self.theta.min(other.theta);
        let entries = self
            .entries
            .range(..theta)
            .filter_map(|(h, a)| other.entries.get(h).map(|b| (*h, mode.merge(*a, *b))))
            .collect();
        let empty = self.empty || other.empty;
        Sketch { theta: if empty { MAX_THETA } else { theta }, entries, empty }
    }

    /// Keys of this one and not the other.
    pub fn difference(&self, other: &Sketch) -> Sketch {
        let theta = self.theta.min(other.theta);
        let entries = self
            .entries
            .range(..theta)
            .filter(|(h, _)| !other.entries.contains_key(h))
            .map(|(h, s)| (*h, *s))
            .collect();
        Sketch { theta, entries, empty: self.empty }
    }

    /// The compressed compact form of a theta sketch.
    pub fn to_theta_bytes(&self) -> Vec<u8> {
        let exact = self.theta == MAX_THETA;
        let hashes: Vec<u64> = self.entries.keys().copied().collect();
        let mut out = Vec::new();
        if self.empty || (exact && hashes.len() == 1) {
            let flags = if self.empty { 0x1e } else { 0x3a };
            out.extend([1, 3, COMPACT, 0, 0, flags]);
            out.extend(if self.empty { [0x00, 0x00] } else { SEED_HASH });
            hashes.iter().for_each(|h| out.extend(h.to_le_bytes()));
            return out;
        }
        let deltas: Vec<u64> = hashes.iter().scan(0, |last, h| Some(h - std::mem::replace(last, *h))).collect();
        let bits = (64 - deltas.iter().fold(0, |a, d| a | d).leading_zeros()).max(1) as usize;
        let count_bytes = (4 - (hashes.len() as u32).leading_zeros() as usize / 8).max(1);
        out.extend([if exact { 1 } else { 2 }, 4, COMPACT, bits as u8, count_bytes as u8, 0x1a]);
        out.extend(SEED_HASH);
        if !exact {
            out.extend(self.theta.to_le_bytes());
        }
        out.extend(&(hashes.len() as u32).to_le_bytes()[..count_bytes]);
        pack(&deltas, bits, &mut out);
        out
    }

    /// Reads any compact theta sketch.
    pub fn from_theta_bytes(bytes: &[u8]) -> Option<Sketch> {
        let (&pre, &version, &family, &flags) = (bytes.first()?, bytes.get(1)?, bytes.get(2)?, bytes.get(5)?);
        if family != COMPACT {
            return None;
        }
        if flags & 4 != 0 {
            return Some(Sketch::default());
        }
        let long = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        if version == 4 {
            let (bits, count_bytes) = (usize::from(*bytes.get(3)?), usize::from(*bytes.get(4)?));
            let theta = if pre & 0x3f > 1 { long(8)? } else { MAX_THETA };
            let at = if pre & 0x3f > 1 { 16 } else { 8 };
            let count = bytes.get(at..at + count_bytes)?.iter().rev().fold(0_usize, |n, b| n << 8 | usize::from(*b));
            let deltas = unpack(bytes.get(at + count_bytes..)?, bits, count)?;
            let mut hash = 0;
            let entries = deltas
                .into_iter()
                .map(|d| {
                    hash += d;
                    (hash, 1.0)
                })
                .collect();
            return Some(Sketch { theta, entries, empty: false });
        }
        let (theta, start, count) = match pre & 0x3f {
            1 => (MAX_THETA, 8, 1),
            2 => (MAX_THETA, 16, bytes.get(8..12).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes)? as usize),
            _ => (long(16)?, 24, bytes.get(8..12).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes)? as usize),
        };
        let entries = (0..count).map(|i| long(start + 8 * i).map(|h| (h, 1.0))).collect::<Option<_>>()?;
        Some(Sketch { theta, entries, empty: false })
    }

    /// The compact form of a tuple sketch of doubles or of integers.
    pub fn to_tuple_bytes(&self, integers: bool, mode: Mode) -> Vec<u8> {
        let exact = self.theta == MAX_THETA;
        let pre = match (self.empty || (exact && self.entries.len() == 1), exact) {
            (true, _) => 1,
            (_, true) => 2,
            _ => 3,
        };
        let flags = if self.empty { 0x0e } else { 0x0a };
        let mut out = vec![pre, 3, TUPLE, 1, 0, flags, SEED_HASH[0], SEED_HASH[1]];
        if pre > 1 {
            out.extend((self.entries.len() as u64).to_le_bytes());
        }
        if pre > 2 {
            out.extend(self.theta.to_le_bytes());
        }
        for (hash, summary) in &self.entries {
            out.extend(hash.to_le_bytes());
            if integers {
                out.extend((*summary as i32).to_le_bytes());
            } else {
                out.extend(summary.to_le_bytes());
            }
            out.push(mode.code());
        }
        out
    }

    /// Reads a compact tuple sketch of doubles or of integers.
    pub fn from_tuple_bytes(bytes: &[u8], integers: bool) -> Option<Sketch> {
        let (&pre, &family, &flags) = (bytes.first()?, bytes.get(2)?, bytes.get(5)?);
        if family != TUPLE {
            return None;
        }
        if flags & 4 != 0 {
            return Some(Sketch::default());
        }
        let long = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        let count = if pre > 1 { long(8)? as usize } else { 1 };
        let theta = if pre > 2 { long(16)? } else { MAX_THETA };
        let mut at = 8 * usize::from(pre);
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let hash = long(at)?;
            at += 8;
            let summary = if integers {
                f64::from(bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(i32::from_le_bytes)?)
            } else {
                f64::from_bits(long(at)?)
            };
            at += if integers { 5 } else { 9 };
            entries.insert(hash, summary);
        }
        Some(Sketch { theta, entries, empty: false })
    }
}

/// Numbers of `bits` bits each, most significant first.
fn pack(values: &[u64], bits: usize, out: &mut Vec<u8>) {
    let (mut acc, mut held) = (0_u128, 0);
    for value in values {
        acc = (acc << bits) | u128::from(*value);
        held += bits;
        while held >= 8 {
            held -= 8;
            out.push((acc >> held) as u8);
            acc &= (1 << held) - 1;
        }
    }
    if held > 0 {
        out.push((acc << (8 - held)) as u8);
    }
}

fn unpack(bytes: &[u8], bits: usize, count: usize) -> Option<Vec<u64>> {
    let (mut acc, mut held) = (0_u128, 0);
    let mut source = bytes.iter();
    let mut out = Vec::with_capacity(count.min(1 << 20));
    for _ in 0..count {
        while held < bits {
            acc = (acc << 8) | u128::from(*source.next()?);
            held += 8;
        }
        held -= bits;
        out.push((acc >> held) as u64);
        acc &= (1 << held) - 1;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = i64>, nominal: usize) -> Sketch {
        let mut sketch = Sketch::default();
        values.into_iter().for_each(|v| sketch.update(&v.to_le_bytes(), 1.0, Mode::Sum, nominal));
        sketch
    }

    #[test]
    fn writes_the_recorded_bytes() {
        for (values, expect) in [
            (vec![], "01030300001E0000"),
            (vec![1], "01030300003ACC9315F97DCBBD86A105"),
            (vec![1, 2, 3], "0104033E011ACC930316861AF72DF7E4558FBE9C3477E9EAEFB2E5966BADAA3DC0"),
        ] {
            let bytes = of(values.clone(), 4096).to_theta_bytes();
            assert_eq!(hex::encode_upper(&bytes), expect, "{values:?}");
            assert_eq!(Sketch::from_theta_bytes(&bytes).unwrap().entries.len(), values.len());
        }
        let mut tuple = Sketch::default();
        tuple.update(&1_i64.to_le_bytes(), 1.5, Mode::Sum, 4096);
        assert_eq!(
            hex::encode_upper(tuple.to_tuple_bytes(false, Mode::Sum)),
            "01030901000ACC9315F97DCBBD86A105000000000000F83F00"
        );
    }

    #[test]
    fn estimates_and_combines() {
        let mut a = of(0..1000, 4096);
        let b = of(500..1500, 4096);
        assert_eq!(a.intersection(&b, Mode::Sum).estimate(), 500.0);
        assert_eq!(a.difference(&b).estimate(), 500.0);
        a.union(&b, Mode::Sum, 4096);
        assert_eq!(a.estimate(), 1500.0);
        let large = of(0..100_000, 4096).estimate();
        assert!((large - 100_000.0).abs() < 5000.0, "{large}");
    }
}
