//! Comparisons of `CHAR` columns: the shorter side is padded with blanks, as the column's values are.

use functions::families::string::limit;
use functions::{Typed, fold};
use spark::Settings;
use spark::types::Metadata;

/// Functions that compare their arguments with each other.
const COMPARISONS: [&str; 9] = ["=", "==", "<=>", "<", "<=", ">", ">=", "!=", "in"];

/// Pads what is compared with `CHAR` columns to one length.
pub fn pad_operands(name: &str, args: &mut [Typed], settings: &Settings) {
    if !COMPARISONS.contains(&name) {
        return;
    }
    let lengths: Vec<Option<u32>> = args.iter().map(char_length).collect();
    if lengths.iter().all(Option::is_none) {
        return;
    }
    // A value that is neither such a column nor a constant is compared as it is.
    let literal = |t: &Typed| {
        let is_constant = t.ty.is_string() && t.foldable();
        is_constant.then(|| fold::string(t)).flatten().map(|text| text.chars().count() as u32)
    };
    let known: Vec<Option<u32>> = args.iter().zip(&lengths).map(|(t, l)| l.or_else(|| literal(t))).collect();
    if known.iter().any(Option::is_none) {
        return;
    }
    let Some(longest) = known.iter().flatten().max().copied() else { return };
    for (arg, length) in args.iter_mut().zip(known) {
        if length != Some(longest) || !pads_on_read(settings) {
            arg.expr = limit::padded(arg.expr.clone(), longest);
        }
    }
}

/// `spark.sql.readSideCharPadding`: values of `CHAR` columns are padded where they are read.
pub fn pads_on_read(settings: &Settings) -> bool {
    settings.conf.get_bool("spark.sql.readSideCharPadding", true)
        && !settings.conf.get_bool("spark.sql.legacy.charVarcharAsString", false)
}

/// The length of a `CHAR` column.
fn char_length(typed: &Typed) -> Option<u32> {
    length_of(&typed.metadata)
}

/// The length that the metadata of a `CHAR` column says.
pub fn length_of(metadata: &Metadata) -> Option<u32> {
    let declared = metadata.get("__CHAR_VARCHAR_TYPE_STRING")?.as_str()?;
    declared.strip_prefix("char(")?.strip_suffix(')')?.parse().ok()
}
