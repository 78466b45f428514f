//! Values as `df.show` prints them.

use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::Expr;
use spark::Settings;
use spark::types::DataType;

use super::format::{BinaryStyle, Style, to_strings};
use crate::families::datetime::zone::Zone;
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::typed::Typed;
use crate::types::to_arrow;

/// The kernel behind [`to_pretty_string`].
pub const PRETTY: Kernel = Kernel::new("to_pretty_string", pretty_kernel);

/// `typed` as `df.show` prints it: never null, nulls as `NULL`, binary as `spark.sql.binaryOutputStyle` says.
pub fn to_pretty_string(typed: &Typed, settings: &Settings) -> Expr {
    let spec = serde_json::to_string(&(&typed.ty, BinaryStyle::of(settings))).unwrap_or_default();
    let options = Options::default().with_time_zone(settings.time_zone.clone()).with_extra(spec);
    KernelUdf::call(&PRETTY, to_arrow(&DataType::STRING), options, vec![typed.expr.clone()])
}

fn pretty_kernel(args: &KernelArgs) -> Result<ColumnarValue> {
    let (ty, binary): (DataType, BinaryStyle) = serde_json::from_str(args.extra())
        .map_err(|e| DataFusionError::Internal(format!("to_pretty_string was planned without its type: {e}")))?;
    let style = Style::pretty(Zone::named(args.time_zone()?)?, binary);
    Ok(ColumnarValue::Array(to_strings(&args.array(0)?, &ty, &style)?))
}
