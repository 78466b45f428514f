//! The eight TPC-H tables.

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

use super::source::{Chunk, Table, chunk_count};

/// A table whose rows at scale 1 are `$rows`, split by the generator's own part numbers.
macro_rules! table {
    ($name:literal, $rows:expr, $scale:expr, $arrow:ident, $generator:ident) => {{
        let scale: f64 = $scale;
        // The generators count parts in i32, from one.
        let parts = chunk_count($rows as u64) as i32;
        let chunks = (1..=parts)
            .map(|part| -> Chunk { Box::new(move || Box::new($arrow::new($generator::new(scale, part, parts)))) })
            .collect();
        Table { name: $name, schema: $arrow::schema_ref(), chunks }
    }};
}

/// The tables at `scale`, small ones first.
pub fn tables(scale: f64) -> Vec<Table> {
    vec![
        table!("region", 5.0, scale, RegionArrow, RegionGenerator),
        table!("nation", 25.0, scale, NationArrow, NationGenerator),
        table!("supplier", 1e4 * scale, scale, SupplierArrow, SupplierGenerator),
        table!("customer", 1.5e5 * scale, scale, CustomerArrow, CustomerGenerator),
        table!("part", 2e5 * scale, scale, PartArrow, PartGenerator),
        table!("partsupp", 8e5 * scale, scale, PartSuppArrow, PartSuppGenerator),
        table!("orders", 1.5e6 * scale, scale, OrderArrow, OrderGenerator),
        table!("lineitem", 6e6 * scale, scale, LineItemArrow, LineItemGenerator),
    ]
}
