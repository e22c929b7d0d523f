//! "Did you mean": the nearest of the names that would have been right.

/// Longest list of names that a help text spells out.
const MAX_LISTED: usize = 12;

/// So many more steps must the second nearest name be away for the nearest to be the one that was meant.
const CLEAR_LEAD: usize = 2;

/// Help for a name that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suggestion {
    /// In words.
    pub text: String,
    /// The name that is not there, and the one that was meant, where no other is nearly as near.
    pub instead: Option<(String, String)>,
}

impl From<String> for Suggestion {
    fn from(text: String) -> Self {
        Suggestion { text, instead: None }
    }
}

/// The candidate that `name` was probably meant to be.
#[must_use]
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    all_near(name, candidates).into_iter().min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// The candidates that `name` may have been meant to be, with their distances from it.
fn all_near<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Vec<(usize, &'c str)> {
    let wanted = normal(name);
    let limit = (wanted.chars().count() / 3).clamp(1, 4);
    let letters = Letters::of(&wanted);
    let near_in_letters = |candidate: &&str| letters.least_distance(&Letters::of(candidate)) <= limit;
    candidates
        .into_iter()
        .filter(near_in_letters)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &normal(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .collect()
}

/// "Did you mean" the nearest candidate; nothing where none is near.
pub(super) fn meant<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<Suggestion> {
    let mut near = all_near(name, candidates);
    near.sort_by_key(|(distance, _)| *distance);
    let (distance, nearest) = *near.first()?;
    let is_sure = near.get(1).is_none_or(|(second, _)| *second >= distance + CLEAR_LEAD);
    let instead = is_sure.then(|| (name.to_owned(), nearest.to_owned()));
    Some(Suggestion { text: format!("did you mean `{nearest}`?"), instead })
}

/// Help for an unknown `name`: the nearest candidate, or else all of them where they are few.
pub(super) fn help(name: &str, candidates: &[&str], what: &str) -> Option<Suggestion> {
    if let Some(meant) = meant(name, candidates.iter().copied()) {
        return Some(meant);
    }
    match candidates {
        [] => None,
        [only] => Some(format!("the only {what} is `{only}`").into()),
        _ if candidates.len() <= MAX_LISTED => Some(format!("{what}s are {}", list(candidates)).into()),
        _ => None,
    }
}

/// As in `` `a`, `b` and `c` ``.
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// How often each letter stands in a name: a bound of a distance that is much cheaper than the distance.
struct Letters([i16; 64]);

impl Letters {
    fn of(name: &str) -> Self {
        let mut counts = [0; 64];
        for c in normal_chars(name) {
            // Letters that share a place only make the bound lower.
            counts[c as usize % 64] += 1;
        }
        Letters(counts)
    }

    /// Each step of a distance takes a letter away, adds one, changes one or swaps two.
    fn least_distance(&self, other: &Letters) -> usize {
        let differences = self.0.iter().zip(other.0).map(|(mine, theirs)| mine - theirs);
        let (more, fewer) = differences.fold((0, 0), |(more, fewer), d| (more + d.max(0), fewer - d.min(0)));
        more.max(fewer) as usize
    }
}

fn normal(name: &str) -> String {
    normal_chars(name).collect()
}

/// The name as it is compared. Names in a file of 1 MiB may be long, and a distance is quadratic in them.
fn normal_chars(name: &str) -> impl Iterator<Item = char> {
    name.chars().take(64).map(|c| if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name_and_another_word_does_not() {
        let names = ["bandpass", "lowpass", "csv_source"];
        assert_eq!(nearest("bandpas", names), Some("bandpass"));
        assert_eq!(nearest("csv-source", names), Some("csv_source"));
        assert_eq!(nearest("BandPass", names), Some("bandpass"));
        assert_eq!(nearest("telescope", names), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn a_name_stands_in_for_another_only_where_no_third_is_as_likely() {
        let meant = |names: &[&str]| meant("lowpas", names.iter().copied()).unwrap();
        assert_eq!(meant(&["lowpass", "notch"]).instead, Some(("lowpas".to_owned(), "lowpass".to_owned())));
        let either = meant(&["lowpass", "lowpast", "notch"]);
        assert_eq!((either.text.as_str(), either.instead), ("did you mean `lowpass`?", None));
        let clear = super::meant("drop-oldest", ["drop_newest", "drop_oldest"]).unwrap();
        assert_eq!(clear.instead.map(|(_, new)| new).as_deref(), Some("drop_oldest"));
    }

    #[test]
    fn help_lists_what_there_is_where_nothing_is_near() {
        assert_eq!(help("x", &["in"], "input").unwrap().text, "the only input is `in`");
        assert_eq!(help("zzz", &["left", "right"], "input").unwrap().text, "inputs are `left` and `right`");
        assert_eq!(help("x", &[], "input"), None);
    }
}
