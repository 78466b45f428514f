//! A stable sort for comparators that may fail or contradict themselves.

use datafusion::common::Result;

/// `items` in the order of `less_or_equal`, stable.
///
/// # Errors
/// As the comparator.
pub fn merge_sort<T: Copy>(items: &[T], less_or_equal: &mut dyn FnMut(T, T) -> Result<bool>) -> Result<Vec<T>> {
    if items.len() <= 1 {
        return Ok(items.to_vec());
    }
    let (left, right) = items.split_at(items.len() / 2);
    let (left, right) = (merge_sort(left, less_or_equal)?, merge_sort(right, less_or_equal)?);
    let mut out = Vec::with_capacity(items.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if less_or_equal(left[i], right[j])? {
            out.push(left[i]);
            i += 1;
        } else {
            out.push(right[j]);
            j += 1;
        }
    }
    out.extend_from_slice(&left[i..]);
    out.extend_from_slice(&right[j..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_stably() {
        let items = [(2, 'a'), (1, 'b'), (2, 'c'), (0, 'd')];
        let sorted = merge_sort(&items, &mut |a, b| Ok(a.0 <= b.0)).unwrap();
        assert_eq!(sorted, [(0, 'd'), (1, 'b'), (2, 'a'), (2, 'c')]);
    }
}
