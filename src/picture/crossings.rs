//! How many lines cross.

/// Pairs of lines of which one begins above the other and ends below it.
pub fn inversions(mut lines: Vec<(f64, f64)>) -> usize {
    lines.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut ends: Vec<f64> = lines.iter().map(|line| line.1).collect();
    ends.sort_by(f64::total_cmp);
    // How many ends so far lie at each place or before it, as a tree of sums.
    let mut counts = vec![0usize; ends.len() + 1];
    let mut crossings = 0;
    for (seen, (_, end)) in lines.iter().enumerate() {
        let place = ends.partition_point(|other| other.total_cmp(end).is_lt()) + 1;
        // All that end no lower than this one do not cross it.
        let last_equal = ends.partition_point(|other| other.total_cmp(end).is_le());
        crossings += seen - sum(&counts, last_equal);
        let mut at = place;
        while at < counts.len() {
            counts[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    crossings
}

fn sum(counts: &[usize], mut at: usize) -> usize {
    let mut sum = 0;
    while at > 0 {
        sum += counts[at];
        at -= at & at.wrapping_neg();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cross_where_one_begins_above_the_other_and_ends_below() {
        assert_eq!(inversions(vec![(0.0, 1.0), (1.0, 0.0)]), 1);
        assert_eq!(inversions(vec![(0.0, 2.0), (1.0, 1.0), (2.0, 0.0)]), 3);
        assert_eq!(inversions(vec![(0.0, 1.0), (0.0, 0.0), (1.0, 1.0)]), 0);
    }
}
