//! HyperLogLog sketches (HLL_8) in DataSketches' updatable form.

/// A sketch while it is a list of coupons, a set of them, or registers.
#[derive(Debug, Clone, PartialEq)]
pub struct Sketch {
    pub lg_k: u8,
    state: State,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    List(Vec<u32>),
    /// Open addressing; zero is free.
    Set {
        table: Vec<u32>,
        count: usize,
    },
    Registers(Registers),
}

#[derive(Debug, Clone, PartialEq)]
struct Registers {
    values: Vec<u8>,
    /// The historic estimate, good while values came one by one.
    hip: f64,
    kxq0: f64,
    kxq1: f64,
    out_of_order: bool,
}

const LIST_SIZE: usize = 8;
const KEY_MASK: u32 = (1 << 26) - 1;

/// The coupon of a value: where its hash falls, and how rare it is.
pub fn coupon(bytes: &[u8]) -> u32 {
    let (h1, h2) = super::murmur::hash(bytes, super::murmur::SEED);
    let rarity = h2.leading_zeros().min(62) + 1;
    (rarity << 26) | (h1 as u32 & KEY_MASK)
}

impl Sketch {
    pub fn new(lg_k: u8) -> Self {
        Sketch { lg_k, state: State::List(Vec::new()) }
    }

    /// Adds a coupon.
    pub fn update(&mut self, coupon: u32) {
        match &mut self.state {
            State::List(list) => {
                if list.contains(&coupon) {
                    return;
                }
                list.push(coupon);
                if list.len() == LIST_SIZE {
                    self.promote_list();
                }
            }
            State::Set { .. } => self.update_set(coupon),
            State::Registers(r) => r.update(coupon, self.lg_k),
        }
    }

    fn promote_list(&mut self) {
        let coupons = self.coupons();
        self.state = if self.lg_k < 8 {
            State::Registers(Registers::of(&coupons, self.lg_k))
        } else {
            State::Set { table: vec![0; 32], count: 0 }
        };
        if matches!(self.state, State::Set { .. }) {
            coupons.into_iter().for_each(|c| self.update_set(c));
        }
    }

    fn update_set(&mut self, coupon: u32) {
        let State::Set { table, count } = &mut self.state else { return };
        if !insert(table, coupon) {
            return;
        }
        *count += 1;
        if 4 * *count > 3 * table.len() {
            let coupons: Vec<u32> = table.iter().copied().filter(|c| *c != 0).collect();
            if table.len() == 1 << (self.lg_k - 3) {
                self.state = State::Registers(Registers::of(&coupons, self.lg_k));
            } else {
                let mut larger = vec![0; table.len() * 2];
                coupons.iter().for_each(|c| {
                    insert(&mut larger, *c);
                });
                *table = larger;
            }
        }
    }

    /// The coupons of a list or set.
    fn coupons(&self) -> Vec<u32> {
        match &self.state {
            State::List(list) => list.clone(),
            State::Set { table, .. } => table.iter().copied().filter(|c| *c != 0).collect(),
            State::Registers(_) => Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(&self.state, State::List(list) if list.is_empty())
    }

    /// Adds another sketch; the result has the smaller `lg_k`.
    pub fn union(&mut self, other: &Sketch) {
        if other.is_empty() {
            return;
        }
        if let State::Registers(theirs) = &other.state {
            let lg_k = self.lg_k.min(other.lg_k);
            let mut mine = match &self.state {
                State::Registers(r) => r.clone(),
                _ => Registers::of(&self.coupons(), self.lg_k),
            };
            mine = mine.shrunk(self.lg_k, lg_k);
            mine.merge(&theirs.shrunk(other.lg_k, lg_k));
            self.lg_k = lg_k;
            self.state = State::Registers(mine);
            return;
        }
        let coupons = other.coupons();
        if other.lg_k < self.lg_k
            && let State::Registers(mine) = &self.state
        {
            self.state = State::Registers(mine.shrunk(self.lg_k, other.lg_k));
            self.lg_k = other.lg_k;
        }
        coupons.into_iter().for_each(|c| self.update(c));
        if let State::Registers(r) = &mut self.state {
            r.out_of_order = true;
        }
    }

    /// The estimated number of distinct values.
    pub fn estimate(&self) -> f64 {
        match &self.state {
            State::List(list) => coupon_estimate(list.len()),
            State::Set { count, .. } => coupon_estimate(*count),
            State::Registers(r) => r.estimate(),
        }
    }

    /// The updatable form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.state {
            State::List(list) => {
                let flags = if list.is_empty() { 4 } else { 0 };
                out.extend([2, 1, 7, self.lg_k, 3, flags, list.len() as u8, 8]);
                (0..LIST_SIZE).for_each(|i| out.extend(list.get(i).copied().unwrap_or(0).to_le_bytes()));
            }
            State::Set { table, count } => {
                out.extend([3, 1, 7, self.lg_k, table.len().trailing_zeros() as u8, 0, 0, 9]);
                out.extend((*count as u32).to_le_bytes());
                table.iter().for_each(|c| out.extend(c.to_le_bytes()));
            }
            State::Registers(r) => {
                let least = r.values.iter().copied().min().unwrap_or(0);
                out.extend([10, 1, 7, self.lg_k, 0, if r.out_of_order { 16 } else { 0 }, 0, 10]);
                out.extend((if r.out_of_order { 0.0 } else { r.hip }).to_le_bytes());
                out.extend(r.kxq0.to_le_bytes());
                out.extend(r.kxq1.to_le_bytes());
                let zeros = r.values.iter().filter(|v| **v == 0).count() as u32;
                out.extend((if least == 0 { zeros } else { 0 }).to_le_bytes());
                out.extend(0_u32.to_le_bytes());
                out.extend(&r.values);
            }
        }
        out
    }

    /// Reads the updatable or compact form of an HLL_8 sketch.
    pub fn from_bytes(bytes: &[u8]) -> Option<Sketch> {
        let [_, 1, 7, lg_k, lg_array, flags, count, mode, ..] = *bytes else { return None };
        if !(4..=21).contains(&lg_k) {
            return None;
        }
        let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        let mut sketch = Sketch::new(lg_k);
        if flags & 4 != 0 {
            return Some(sketch);
        }
        match mode & 3 {
            0 => (0..usize::from(count)).try_for_each(|i| word(8 + 4 * i).map(|c| sketch.update(c)))?,
            1 => {
                let compact = flags & 8 != 0;
                let stored = if compact { word(8)? as usize } else { 1 << lg_array.min(26) };
                let mut table = vec![0; 1 << lg_array.clamp(5, 26)];
                let mut count = 0;
                for i in 0..stored {
                    let c = word(12 + 4 * i)?;
                    if c != 0 && insert(&mut table, c) {
                        count += 1;
                    }
                }
                sketch.state = State::Set { table, count };
            }
            2 => {
                let double = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(f64::from_le_bytes);
                let values = bytes.get(40..40 + (1 << lg_k))?.to_vec();
                sketch.state = State::Registers(Registers {
                    values,
                    hip: double(8)?,
                    kxq0: double(16)?,
                    kxq1: double(24)?,
                    out_of_order: flags & 16 != 0,
                });
            }
            _ => return None,
        }
        Some(sketch)
    }
}

/// Puts a coupon into the table; false if it is there.
fn insert(table: &mut [u32], coupon: u32) -> bool {
    let mask = table.len() - 1;
    let stride = ((coupon & KEY_MASK) >> table.len().trailing_zeros()) as usize | 1;
    let mut probe = coupon as usize & mask;
    for _ in 0..table.len() {
        if table[probe] == coupon {
            return false;
        }
        if table[probe] == 0 {
            table[probe] = coupon;
            return true;
        }
        probe = (probe + stride) & mask;
    }
    false
}

/// Distinct values behind `count` distinct coupons of 26 bits and more.
fn coupon_estimate(count: usize) -> f64 {
    // Two values share a coupon about once in 2^27 pairs.
    let n = count as f64;
    n + n * n / f64::from(1_u32 << 28)
}

impl Registers {
    fn of(coupons: &[u32], lg_k: u8) -> Self {
        let k = f64::from(1_u32 << lg_k);
        let mut r = Registers { values: vec![0; 1 << lg_k], hip: 0.0, kxq0: k, kxq1: 0.0, out_of_order: false };
        coupons.iter().for_each(|c| r.update(*c, lg_k));
        // The estimate goes on from that of the coupons.
        r.hip = coupon_estimate(coupons.len());
        r
    }

    fn update(&mut self, coupon: u32, lg_k: u8) {
        let slot = coupon as usize & ((1 << lg_k) - 1);
        self.raise(slot, (coupon >> 26) as u8);
    }

    fn raise(&mut self, slot: usize, new: u8) {
        let old = self.values[slot];
        if new <= old {
            return;
        }
        self.hip += self.values.len() as f64 / (self.kxq0 + self.kxq1);
        let mut change = |value: u8, sign: f64| {
            let part = sign / 2_f64.powi(i32::from(value));
            if value < 32 { self.kxq0 += part } else { self.kxq1 += part }
        };
        change(old, -1.0);
        change(new, 1.0);
        self.values[slot] = new;
    }

    fn shrunk(&self, from: u8, to: u8) -> Registers {
        if from == to {
            return self.clone();
        }
        let mut out = Registers::of(&[], to);
        self.values.iter().enumerate().for_each(|(i, v)| out.raise(i & ((1 << to) - 1), *v));
        out.out_of_order = true;
        out
    }

    fn merge(&mut self, other: &Registers) {
        other.values.iter().enumerate().for_each(|(i, v)| self.raise(i, *v));
        self.out_of_order = true;
    }

    fn estimate(&self) -> f64 {
        if !self.out_of_order {
            return self.hip;
        }
        let k = self.values.len() as f64;
        let zeros = self.values.iter().filter(|v| **v == 0).count() as f64;
        let alpha = 0.7213 / (1.0 + 1.079 / k);
        let raw = alpha * k * k / (self.kxq0 + self.kxq1);
        if zeros > 0.0 && raw < 3.0 * k { k * (k / zeros).ln() } else { raw }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: std::ops::Range<i64>, lg_k: u8) -> Sketch {
        let mut sketch = Sketch::new(lg_k);
        values.for_each(|v| sketch.update(coupon(&v.to_le_bytes())));
        sketch
    }

    #[test]
    fn writes_the_recorded_bytes() {
        for (sketch, expect) in [
            (of(0..0, 12), "0201070C030400080000000000000000000000000000000000000000000000000000000000000000"),
            (of(1..4, 12), "0201070C030003082BF2FB06862FF90D758166070000000000000000000000000000000000000000"),
        ] {
            assert_eq!(hex::encode_upper(sketch.to_bytes()), expect);
            assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Some(sketch));
        }
    }

    #[test]
    fn estimates_each_state() {
        for (n, lg_k, within) in [(3, 12, 0.01), (100, 12, 0.01), (10_000, 12, 0.05), (40, 4, 0.5)] {
            let estimate = of(0..n, lg_k).estimate();
            assert!((estimate / n as f64 - 1.0).abs() < within, "{n}: {estimate}");
        }
        let mut a = of(0..5000, 12);
        a.union(&of(2500..7500, 10));
        assert_eq!(a.lg_k, 10);
        assert!((a.estimate() / 7500.0 - 1.0).abs() < 0.1, "{}", a.estimate());
    }
}
