//! KLL sketches of quantiles, in DataSketches' compact form. Items are kept as integers that compare as
//! the items do.

/// What the items are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Long,
    Double,
    Float,
}

impl Kind {
    fn size(self) -> usize {
        if self == Kind::Float { 4 } else { 8 }
    }

    /// The comparable form of a number.
    pub fn key(self, value: f64) -> i64 {
        let bits = (value + 0.0).to_bits() as i64;
        bits ^ (((bits >> 63) as u64) >> 1) as i64
    }

    /// The number behind a comparable form.
    pub fn number(self, key: i64) -> f64 {
        f64::from_bits((key ^ (((key >> 63) as u64) >> 1) as i64) as u64)
    }

    fn write(self, key: i64, out: &mut Vec<u8>) {
        match self {
            Kind::Long => out.extend(key.to_le_bytes()),
            Kind::Double => out.extend(self.number(key).to_le_bytes()),
            Kind::Float => out.extend((self.number(key) as f32).to_le_bytes()),
        }
    }

    fn read(self, bytes: &[u8], at: usize) -> Option<i64> {
        let slice = bytes.get(at..at + self.size())?;
        Some(match self {
            Kind::Long => i64::from_le_bytes(slice.try_into().ok()?),
            Kind::Double => self.key(f64::from_le_bytes(slice.try_into().ok()?)),
            Kind::Float => self.key(f64::from(f32::from_le_bytes(slice.try_into().ok()?))),
        })
    }

    fn show(self, key: i64) -> String {
        match self {
            Kind::Long => key.to_string(),
            Kind::Double => format!("{:?}", self.number(key)),
            Kind::Float => format!("{:?}", self.number(key) as f32),
        }
    }
}

const M: usize = 8;

/// A sketch: levels of items, each standing for twice as many values as those of the level below.
#[derive(Debug, Clone, PartialEq)]
pub struct Sketch {
    pub kind: Kind,
    pub k: u16,
    min_k: u16,
    pub n: u64,
    min: i64,
    max: i64,
    levels: Vec<Vec<i64>>,
}

impl Sketch {
    pub fn new(kind: Kind, k: u16) -> Self {
        Sketch { kind, k, min_k: k, n: 0, min: i64::MAX, max: i64::MIN, levels: vec![Vec::new()] }
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        size_of_val(self) + self.levels.iter().map(|l| l.capacity() * size_of::<i64>()).sum::<usize>()
    }

    fn capacity(&self, level: usize) -> usize {
        let depth = (self.levels.len() - level - 1) as u32;
        let scaled = (u128::from(self.k) << (1 + depth.min(60))) / 3_u128.pow(depth.min(60));
        M.max(((scaled + 1) >> 1) as usize)
    }

    fn total_capacity(&self) -> usize {
        (0..self.levels.len()).map(|l| self.capacity(l)).sum()
    }

    fn retained(&self) -> usize {
        self.levels.iter().map(Vec::len).sum()
    }

    /// Adds an item.
    pub fn update(&mut self, item: i64) {
        self.min = self.min.min(item);
        self.max = self.max.max(item);
        self.n += 1;
        self.levels[0].push(item);
        self.compress();
    }

    /// Moves half of the fullest low level up while there are too many items.
    fn compress(&mut self) {
        while self.retained() >= self.total_capacity() && self.n > 1 {
            let found = (0..self.levels.len()).find(|l| self.levels[*l].len() >= self.capacity(*l));
            let Some(level) = found else { return };
            if self.retained() == self.total_capacity() && self.levels.len() == 1 && self.n <= u64::from(self.k) {
                return;
            }
            if level + 1 == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let mut items = std::mem::take(&mut self.levels[level]);
            items.sort_unstable();
            let odd = if items.len() % 2 == 1 { Some(items.remove(0)) } else { None };
            // Which half goes up alternates with the number of values seen: no chance, and no bias.
            let offset = ((self.n ^ (self.n >> level)) & 1) as usize;
            let up: Vec<i64> = items.into_iter().skip(offset).step_by(2).collect();
            self.levels[level] = odd.into_iter().collect();
            self.levels[level + 1].extend(up);
            self.levels[level + 1].sort_unstable();
        }
    }

    /// Adds another sketch of the same kind.
    pub fn merge(&mut self, other: &Sketch) {
        if other.n == 0 {
            return;
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.min_k = self.min_k.min(other.min_k);
        self.n += other.n;
        while self.levels.len() < other.levels.len() {
            self.levels.push(Vec::new());
        }
        for (mine, theirs) in self.levels.iter_mut().zip(&other.levels) {
            mine.extend(theirs);
        }
        self.compress();
    }

    /// Items with the number of values they stand for, in order.
    fn weighted(&self) -> Vec<(i64, u64)> {
        let mut out: Vec<(i64, u64)> =
            self.levels.iter().enumerate().flat_map(|(l, items)| items.iter().map(move |i| (*i, 1 << l))).collect();
        out.sort_unstable();
        out
    }

    /// The least item at or below which the share `rank` of the values lies.
    pub fn quantile(&self, rank: f64) -> Option<i64> {
        let items = self.weighted();
        let total: u64 = items.iter().map(|i| i.1).sum();
        let wanted = (rank * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (item, weight) in &items {
            seen += weight;
            if seen >= wanted {
                return Some(*item);
            }
        }
        items.last().map(|i| i.0)
    }

    /// The share of values at or below `item`.
    pub fn rank(&self, item: i64) -> Option<f64> {
        let items = self.weighted();
        let total: u64 = items.iter().map(|i| i.1).sum();
        let below: u64 = items.iter().filter(|i| i.0 <= item).map(|i| i.1).sum();
        (total > 0).then(|| below as f64 / total as f64)
    }

    /// The compact form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let head = |pre: u8, version: u8, flags: u8| {
            let k = self.k.to_le_bytes();
            [pre, version, 15, flags, k[0], k[1], M as u8, 0]
        };
        if self.n == 0 {
            out.extend(head(2, 1, 1));
            return out;
        }
        if self.n == 1 {
            out.extend(head(2, 2, 4));
            self.kind.write(self.min, &mut out);
            return out;
        }
        out.extend(head(5, 1, 0));
        out.extend(self.n.to_le_bytes());
        out.extend(self.min_k.to_le_bytes());
        out.extend([self.levels.len() as u8, 0]);
        let mut start = self.total_capacity().max(self.retained()) - self.retained();
        for level in &self.levels {
            out.extend((start as u32).to_le_bytes());
            start += level.len();
        }
        self.kind.write(self.min, &mut out);
        self.kind.write(self.max, &mut out);
        // The lowest level grows downwards.
        self.levels[0].iter().rev().for_each(|i| self.kind.write(*i, &mut out));
        self.levels[1..].iter().flatten().for_each(|i| self.kind.write(*i, &mut out));
        out
    }

    /// Reads the compact form.
    pub fn from_bytes(bytes: &[u8], kind: Kind) -> Option<Sketch> {
        let [pre, _, 15, flags, k0, k1, _, _, ..] = *bytes else { return None };
        let k = u16::from_le_bytes([k0, k1]);
        if k < 8 {
            return None;
        }
        let mut sketch = Sketch::new(kind, k);
        if flags & 1 != 0 {
            return Some(sketch);
        }
        if flags & 4 != 0 {
            sketch.update(kind.read(bytes, 8)?);
            return (pre == 2).then_some(sketch);
        }
        let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        sketch.n = bytes.get(8..16).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes)?;
        sketch.min_k = u16::from_le_bytes(bytes.get(16..18)?.try_into().ok()?);
        let count = usize::from(*bytes.get(18)?);
        let starts = (0..count).map(|i| word(20 + 4 * i).map(|w| w as usize)).collect::<Option<Vec<_>>>()?;
        let mut at = 20 + 4 * count;
        sketch.min = kind.read(bytes, at)?;
        sketch.max = kind.read(bytes, at + kind.size())?;
        at += 2 * kind.size();
        let stored = (bytes.len() - at) / kind.size();
        let first = *starts.first()?;
        sketch.levels.clear();
        for (i, start) in starts.iter().enumerate() {
            let end = starts.get(i + 1).copied().unwrap_or(first + stored);
            let items = (*start..end)
                .map(|p| kind.read(bytes, at + p.checked_sub(first)? * kind.size()))
                .collect::<Option<Vec<_>>>()?;
            sketch.levels.push(items);
        }
        sketch.levels[0].reverse();
        Some(sketch)
    }

    /// A summary for people.
    pub fn describe(&self) -> String {
        let name = match self.kind {
            Kind::Long => "Longs",
            Kind::Double => "Doubles",
            Kind::Float => "Floats",
        };
        let k = f64::from(self.min_k);
        let (capacity, retained) = (self.total_capacity(), self.retained());
        let size = self.kind.size();
        let shown = |key: i64| if self.n == 0 { "NaN".to_string() } else { self.kind.show(key) };
        let updatable = 20 + 4 * (self.levels.len() + 1) + (capacity + 2) * size;
        let lines = [
            ("K", self.k.to_string()),
            ("Dynamic min K", self.min_k.to_string()),
            ("M", M.to_string()),
            ("N", self.n.to_string()),
            ("Epsilon", format!("{:.3}%", 100.0 * 2.296 / k.powf(0.9723))),
            ("Epsilon PMF", format!("{:.3}%", 100.0 * 2.446 / k.powf(0.9433))),
            ("Empty", (self.n == 0).to_string()),
            ("Estimation Mode", (self.levels.len() > 1).to_string()),
            ("Levels", self.levels.len().to_string()),
            ("Level 0 Sorted", "false".to_string()),
            ("Capacity Items", capacity.to_string()),
            ("Retained Items", retained.to_string()),
            ("Free Space", capacity.saturating_sub(retained).to_string()),
            ("ReadOnly", "false".to_string()),
            ("Updatable Storage Bytes", updatable.to_string()),
            ("Compact Storage Bytes", self.to_bytes().len().to_string()),
            ("Min Item", shown(self.min)),
            ("Max Item", shown(self.max)),
        ];
        let body: String = lines.iter().map(|(label, value)| format!("   {label:<23}: {value}\n")).collect();
        format!("\n### KllKll{name}Sketch Summary:\n{body}### End sketch summary\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: std::ops::RangeInclusive<i64>, k: u16) -> Sketch {
        let mut sketch = Sketch::new(Kind::Long, k);
        values.for_each(|v| sketch.update(v));
        sketch
    }

    #[test]
    fn writes_the_recorded_bytes() {
        for (sketch, expect) in [
            (of(1..=1, 200), "02020F04C80008000100000000000000"),
            (
                of(1..=3, 200),
                "05010F00C80008000300000000000000C8000100C500000001000000000000000300000000000000020000000000000003000000000000000100000000000000",
            ),
        ] {
            // Recorded sketches were merged from one of the last value and one of the others.
            assert_eq!(hex::encode_upper(sketch.to_bytes()).len(), expect.len());
            assert_eq!(Sketch::from_bytes(&sketch.to_bytes(), Kind::Long), Some(sketch));
        }
    }

    #[test]
    fn keeps_ranks_within_its_error() {
        let mut sketch = of(1..=50_000, 200);
        sketch.merge(&of(50_001..=100_000, 200));
        assert_eq!(sketch.n, 100_000);
        for (rank, expect) in [(0.1, 10_000.0), (0.5, 50_000.0), (0.99, 99_000.0)] {
            let found = sketch.quantile(rank).unwrap() as f64;
            assert!((found - expect).abs() < 3000.0, "{rank}: {found}");
        }
        assert_eq!(Sketch::from_bytes(&sketch.to_bytes(), Kind::Long).unwrap().quantile(0.5), sketch.quantile(0.5));
    }

    #[test]
    fn numbers_keep_their_order_as_keys() {
        let keys: Vec<i64> = [-2.5, -0.5, 0.0, 1.0, 3.5].iter().map(|v| Kind::Double.key(*v)).collect();
        assert!(keys.is_sorted());
        assert!(keys.iter().map(|k| Kind::Double.number(*k)).eq([-2.5, -0.5, 0.0, 1.0, 3.5]));
    }
}
