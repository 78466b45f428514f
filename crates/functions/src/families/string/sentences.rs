//! `sentences`: a text as sentences of words.

use std::sync::Arc;

use arrow::array::{ListBuilder, StringBuilder};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::Result as SparkResult;
use spark::types::DataType;
use unicode_segmentation::UnicodeSegmentation;

use crate::call::Call;
use crate::coerce::Expected;
use crate::families::rows::{self, Text};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::list_field;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "sentences", build: Build::Scalar(sentences) }];

const SENTENCES: Kernel = Kernel::new("sentences", eval);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[SENTENCES];

fn sentences(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=3)?;
    while call.args.len() < 3 {
        rows::push_default(&mut call, rows::string_literal(""));
    }
    call.expect_all(&[Expected::String, Expected::String, Expected::String])?;
    let words = DataType::array(rows::text_type(&call, 0), false);
    Ok(call.kernel(&SENTENCES, DataType::array(words, false), true))
}

/// Sentences end where one could begin anew: after a full stop, question or exclamation mark and a
/// blank, or after their ideographic forms.
fn split_sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        let ends = match c {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' => chars.peek().is_none_or(|(_, next)| next.is_whitespace()),
            '\n' => true,
            _ => false,
        };
        if ends {
            let end = i + c.len_utf8();
            // A full stop before a lower-case word ends no sentence.
            let follows = text[end..].trim_start().chars().next();
            if c == '.' && follows.is_some_and(char::is_lowercase) {
                continue;
            }
            out.push(&text[start..end]);
            start = end;
        }
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
}

/// Words of letters and digits; a hyphen, an apostrophe or a full stop inside joins them, a currency
/// sign makes a number no word.
fn words(sentence: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut joining = false;
    let mut dropped = false;
    for part in sentence.split_word_bounds() {
        let word = part.chars().next().is_some_and(char::is_alphanumeric);
        if word
            && joining
            && let Some(last) = out.last_mut()
        {
            last.push('-');
            last.push_str(part);
        } else if word && !dropped {
            out.push(part.to_string());
        }
        // A hyphen joins words, but not the parts of a date.
        let after_letter = out.last().and_then(|w| w.chars().last()).is_some_and(char::is_alphabetic);
        joining = part == "-" && after_letter && !joining;
        dropped = matches!(part, "$" | "€" | "£" | "¥");
        if word {
            joining = false;
        }
    }
    out
}

fn eval(args: &KernelArgs) -> Result<ColumnarValue> {
    let text = Text::of(args, 0)?;
    let inner = ListBuilder::new(StringBuilder::new()).with_field(list_field(Arrow::Utf8));
    let mut out = ListBuilder::new(inner).with_field(list_field(Arrow::List(list_field(Arrow::Utf8))));
    for row in 0..rows::row_count(args) {
        let Some(s) = text.get(row) else {
            out.append(false);
            continue;
        };
        for sentence in split_sentences(s) {
            let words = words(sentence);
            if words.is_empty() {
                continue;
            }
            words.iter().for_each(|w| out.values().values().append_value(w));
            out.values().append(true);
        }
        out.append(true);
    }
    rows::finish(args, Arc::new(out.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        for (text, expected) in [
            ("Hi there! Good morning.", "Hi there|Good morning"),
            ("How are you, Mr. Smith? It costs $3.50. e-mail a@b.c", "How are you Mr|Smith|It costs e-mail a b.c"),
            ("I'm don't x-y", "I'm don't x-y"),
            ("2020-01-31", "2020 01 31"),
            ("", ""),
        ] {
            let got: Vec<String> =
                split_sentences(text).into_iter().map(|s| words(s).join(" ")).filter(|s| !s.is_empty()).collect();
            assert_eq!(got.join("|"), expected);
        }
    }
}
