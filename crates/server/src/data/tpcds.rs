//! The 24 TPC-DS tables. `dbgen_version`, which no query reads, is left out: it stamps the clock.

use tpcdsgen::config::{Session, SessionBuilder, Table as Kind};
use tpcdsgen_arrow::{
    CallCenterArrow, CatalogPageArrow, CatalogReturnsArrow, CatalogSalesArrow, CustomerAddressArrow, CustomerArrow,
    CustomerDemographicsArrow, DateDimArrow, HouseholdDemographicsArrow, IncomeBandArrow, InventoryArrow, ItemArrow,
    PromotionArrow, ReasonArrow, ShipModeArrow, StoreArrow, StoreReturnsArrow, StoreSalesArrow, TimeDimArrow,
    WarehouseArrow, WebPageArrow, WebReturnsArrow, WebSalesArrow, WebSiteArrow,
};

use super::source::{Chunk, ROW_GROUP_ROWS, Table};
use crate::error::{Error, Result};

/// A dimension: one chunk, for its generator carries state from row to row.
macro_rules! dimension {
    ($session:expr, $name:literal, $arrow:ident) => {{
        let session: Session = $session.clone();
        let chunk: Chunk = Box::new(move || Box::new($arrow::new(session.clone())));
        Table { name: $name, schema: $arrow::schema_ref(), chunks: vec![chunk] }
    }};
}

/// A fact table, split by source rows (orders); `$fanout` rows come of one on average.
macro_rules! fact {
    ($session:expr, $name:literal, $arrow:ident, $kind:expr, $fanout:literal) => {{
        let ranges = source_ranges($session, $kind, $fanout);
        let chunks = ranges
            .into_iter()
            .map(|(first, last)| -> Chunk {
                let session: Session = $session.clone();
                Box::new(move || Box::new($arrow::new(session.clone()).with_source_row_range(first, last)))
            })
            .collect();
        Table { name: $name, schema: $arrow::schema_ref(), chunks }
    }};
}

/// Source rows, counted from one and inclusive, that give row groups of about the usual size.
fn source_ranges(session: &Session, kind: Kind, fanout: u64) -> Vec<(u64, u64)> {
    let rows = session.get_scaling().get_row_count(kind);
    let step = (ROW_GROUP_ROWS / fanout).max(1);
    let mut ranges = Vec::new();
    let mut first = 1;
    while first <= rows {
        let last = (first + step - 1).min(rows);
        ranges.push((first, last));
        first = last + 1;
    }
    ranges
}

/// The tables at `scale`, dimensions first.
pub fn tables(scale: f64) -> Result<Vec<Table>> {
    let session = SessionBuilder::new()
        .with_scale_factor(scale)
        .build()
        .map_err(|e| Error::usage(format!("--scale {scale}: {e}")))?;
    let s = &session;
    Ok(vec![
        dimension!(s, "call_center", CallCenterArrow),
        dimension!(s, "catalog_page", CatalogPageArrow),
        dimension!(s, "customer", CustomerArrow),
        dimension!(s, "customer_address", CustomerAddressArrow),
        dimension!(s, "customer_demographics", CustomerDemographicsArrow),
        dimension!(s, "date_dim", DateDimArrow),
        dimension!(s, "household_demographics", HouseholdDemographicsArrow),
        dimension!(s, "income_band", IncomeBandArrow),
        dimension!(s, "item", ItemArrow),
        dimension!(s, "promotion", PromotionArrow),
        dimension!(s, "reason", ReasonArrow),
        dimension!(s, "ship_mode", ShipModeArrow),
        dimension!(s, "store", StoreArrow),
        dimension!(s, "time_dim", TimeDimArrow),
        dimension!(s, "warehouse", WarehouseArrow),
        dimension!(s, "web_page", WebPageArrow),
        dimension!(s, "web_site", WebSiteArrow),
        fact!(s, "inventory", InventoryArrow, Kind::Inventory, 1),
        fact!(s, "catalog_returns", CatalogReturnsArrow, Kind::CatalogReturns, 1),
        fact!(s, "store_returns", StoreReturnsArrow, Kind::StoreReturns, 1),
        fact!(s, "web_returns", WebReturnsArrow, Kind::WebReturns, 1),
        fact!(s, "catalog_sales", CatalogSalesArrow, Kind::CatalogSales, 9),
        fact!(s, "store_sales", StoreSalesArrow, Kind::StoreSales, 12),
        fact!(s, "web_sales", WebSalesArrow, Kind::WebSales, 12),
    ])
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatch;
    use arrow::compute::concat_batches;

    use super::*;

    /// Splitting a fact table by source rows must not change what it holds.
    #[test]
    fn ranges_concatenate_to_the_whole() {
        let session = SessionBuilder::new().with_scale_factor(0.01).build().expect("valid scale");
        let all = |range: Option<(u64, u64)>| -> RecordBatch {
            let mut generator = WebReturnsArrow::new(session.clone());
            if let Some((first, last)) = range {
                generator = generator.with_source_row_range(first, last);
            }
            let batches: Vec<_> = generator.map(|b| b.expect("a batch")).collect();
            concat_batches(&WebReturnsArrow::schema_ref(), &batches).expect("one schema")
        };
        let rows = session.get_scaling().get_row_count(Kind::WebReturns);
        let halves = [all(Some((1, rows / 2))), all(Some((rows / 2 + 1, rows)))];
        let joined = concat_batches(&halves[0].schema(), &halves).expect("one schema");
        assert_eq!(joined, all(None));
    }
}
