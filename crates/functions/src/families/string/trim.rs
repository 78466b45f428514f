//! `trim`, `ltrim`, `rtrim`, `btrim`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::families::collation::{self, Collation};
use crate::families::rows::{self, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "trim", build: Build::Scalar(trim) },
    Function { name: "ltrim", build: Build::Scalar(ltrim) },
    Function { name: "rtrim", build: Build::Scalar(rtrim) },
    Function { name: "btrim", build: Build::Scalar(btrim) },
];

const BOTH: Kernel = Kernel::new("trim", |args| eval(args, true, true));
const LEADING: Kernel = Kernel::new("ltrim", |args| eval(args, true, false));
const TRAILING: Kernel = Kernel::new("rtrim", |args| eval(args, false, true));

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[BOTH, LEADING, TRAILING];

fn trim(call: Call) -> SparkResult<Typed> {
    typed(call, &BOTH, "BOTH")
}

fn ltrim(call: Call) -> SparkResult<Typed> {
    typed(call, &LEADING, "LEADING")
}

fn rtrim(call: Call) -> SparkResult<Typed> {
    typed(call, &TRAILING, "TRAILING")
}

/// One argument, or the characters to trim and then the source.
fn typed(mut call: Call, kernel: &'static Kernel, side: &str) -> SparkResult<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        call.expect(0, Expected::String)?;
        let (ty, nullable) = (rows::text_type(&call, 0), call.any_nullable());
        return Ok(call.kernel(kernel, ty, nullable));
    }
    call.expect_all(&[Expected::String, Expected::String])?;
    let collation = collation::unify(&mut call, &[0, 1])?;
    let name = format!("TRIM({side} {} FROM {})", call.args[0].name, call.args[1].name);
    call.args.swap(0, 1);
    let nullable = call.any_nullable();
    let options = collation::options(&call, &collation);
    Ok(call.kernel_with(kernel, options, collation::string_type(&collation), nullable).named(name))
}

/// The source and then the characters to trim; binary arguments are read as UTF-8.
fn btrim(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=2)?;
    let name = call.display_name();
    for i in 0..call.args.len() {
        if call.args[i].ty == DataType::Binary {
            call.args[i] = coerce::cast_implicitly(&call.args[i], &DataType::STRING, call.settings);
        }
        call.expect(i, Expected::String)?;
    }
    let indices: Vec<usize> = (0..call.args.len()).collect();
    let collation = collation::unify(&mut call, &indices)?;
    let nullable = call.any_nullable();
    let options = collation::options(&call, &collation);
    Ok(call.kernel_with(&BOTH, options, collation::string_type(&collation), nullable).named(name))
}

fn eval(args: &KernelArgs, leading: bool, trailing: bool) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    if args.args.len() == 1 {
        return rows::slices(args, |row| {
            Ok(text.get(row).map(|s| {
                let s = if leading { s.trim_start_matches(' ') } else { s };
                if trailing { s.trim_end_matches(' ') } else { s }
            }))
        });
    }
    let set = Text::of(args, 1)?;
    let collation = Collation::of(args)?;
    rows::slices(args, |row| {
        let (Some(mut s), Some(set)) = (text.get(row), set.get(row)) else { return Ok(None) };
        let members = collation.char_set(set);
        if leading {
            s = s.trim_start_matches(|c| members.contains(c));
        }
        if trailing {
            s = collation.trim_end(s, &members, set);
        }
        Ok(Some(s))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::rows::testing::{s, text};

    #[test]
    fn trims() {
        for (kernel, args, expected) in [
            (&BOTH, vec!["  a b  "], "a b"),
            (&LEADING, vec![" \tx "], "\tx "),
            (&TRAILING, vec![" x "], " x"),
            (&BOTH, vec!["SSparkSQLS", "SL"], "parkSQ"),
            (&LEADING, vec!["xyxXxyLAST", "xy"], "XxyLAST"),
            (&TRAILING, vec!["testxxzx", "xyz"], "test"),
            (&BOTH, vec!["aaa", "a"], ""),
            (&BOTH, vec!["abc", ""], "abc"),
        ] {
            let values: Vec<_> = args.iter().map(|a| s(a)).collect();
            assert_eq!(text(kernel, &values), expected, "{}{args:?}", kernel.name);
        }
    }
}
