//! "Did you mean": the nearest of the names that would have been right.

/// Longest list of names that a help text spells out.
const MAX_LISTED: usize = 12;

/// So many more steps must the second nearest name be away for the nearest to be the one that was meant.
const CLEAR_LEAD: usize = 2;

/// Most candidates that are looked at, and most letters of a name that are compared: what a search costs is bounded by both.
const MAX_CANDIDATES: usize = 1000;
const MAX_LETTERS: usize = 64;

/// Help for a name that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suggestion {
    /// In words.
    pub text: String,
    /// The name that is not there, and the one that was meant, where no other is nearly as near.
    pub instead: Option<(String, String)>,
}

impl Suggestion {
    /// The name that was clearly meant.
    pub fn clearly(&self) -> Option<&str> {
        self.instead.as_ref().map(|(_, meant)| meant.as_str())
    }
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
    let wanted = Letters::of(name);
    let limit = (wanted.get().len() / 3).clamp(1, 4);
    let near = |candidate: &'c str| {
        let letters = Letters::of(candidate);
        let distance = distance(wanted.get(), letters.get(), limit)?;
        (distance < letters.get().len()).then_some((distance, candidate))
    };
    candidates.into_iter().take(MAX_CANDIDATES).filter_map(near).collect()
}

/// The nearest of the names that another may have been meant to be.
pub(super) struct Near<'c> {
    pub name: &'c str,
    /// How many letters differ.
    pub distance: usize,
    /// Whether it is a slip of the finger, and no other is nearly as near: then it may be put in its place.
    pub is_clear: bool,
    /// Whether they differ in what names are counted by: then another was meant that is not there.
    is_another: bool,
}

impl<'c> Near<'c> {
    /// The one of `candidates` that is nearest to `name`; nothing where none is near.
    pub fn to(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<Self> {
        let mut near = all_near(name, candidates);
        near.sort_by_key(|(distance, _)| *distance);
        let (distance, nearest) = *near.first()?;
        let leads = near.get(1).is_none_or(|(second, _)| *second >= distance + CLEAR_LEAD);
        let is_another = counters(name) != counters(nearest);
        let is_clear = leads && !is_another && is_slip(name, nearest);
        Some(Near { name: nearest, distance, is_clear, is_another })
    }

    /// "Did you mean" it, instead of `name`?
    pub fn help(&self, name: &str) -> Suggestion {
        let instead = self.is_clear.then(|| (name.to_owned(), self.name.to_owned()));
        Suggestion { text: format!("did you mean `{}`?", self.name), instead }
    }
}

/// "Did you mean" the nearest candidate; nothing where none is near.
pub(super) fn meant<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<Suggestion> {
    Near::to(name, candidates).filter(|near| !near.is_another).map(|near| near.help(name))
}

/// All candidates to which the distance from `name` is the same, and the least.
pub(super) fn all_nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Vec<&'c str> {
    let near = all_near(name, candidates);
    let least = near.iter().map(|(distance, _)| *distance).min();
    near.into_iter().filter(|(distance, _)| Some(*distance) == least).map(|(_, candidate)| candidate).collect()
}

/// Shortest word in which a wrong letter is a slip: of shorter ones, another is a word of its own, as are `eeg` and `ecg`.
const MIN_MISSPELT: usize = 5;

/// Whether `written` is `meant` with one slip of the finger, so that nobody can have meant something else: two letters
/// swapped, one too many or too few, or a wrong one in a long word. What begins or ends otherwise may be a word of its own
/// (`unmerge`, `cpus`), and so may what has a word more (`interval_ms`).
fn is_slip(written: &str, meant: &str) -> bool {
    let words = |name: &str| name.split(['_', '-', ' ']).map(str::to_ascii_lowercase).collect::<Vec<String>>();
    let (written, meant) = (words(written), words(meant));
    if written.concat() == meant.concat() {
        return true;
    }
    let mut differing = written.iter().zip(&meant).filter(|(written, meant)| written != meant);
    let one = differing.next().filter(|_| differing.next().is_none() && written.len() == meant.len());
    one.is_some_and(|(written, meant)| {
        is_slip_of_word(&written.chars().collect::<Vec<_>>(), &meant.chars().collect::<Vec<_>>())
    })
}

fn is_slip_of_word(written: &[char], meant: &[char]) -> bool {
    let same = |a: &[char], b: &[char]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let front = same(written, meant);
    let reversed = |word: &[char]| word.iter().rev().copied().collect::<Vec<char>>();
    let back = same(&reversed(written), &reversed(meant)).min(written.len().min(meant.len()) - front);
    let (of_written, of_meant) = (&written[front..written.len() - back], &meant[front..meant.len() - back]);
    if front == 0 || !of_written.iter().chain(of_meant).all(|c| c.is_alphabetic()) {
        return false;
    }
    match (of_written, of_meant) {
        // One more at the end is none, as a plural is, but where it doubles the last.
        ([one], []) => back > 0 || written[front - 1] == *one,
        ([], [_]) => true,
        ([_], [_]) => back > 0 && meant.len() >= MIN_MISSPELT,
        ([a, b], [c, d]) => (a, b) == (d, c),
        _ => false,
    }
}

/// The parts of a name by which several are told apart: numbers, and letters that stand alone, as in `eye_l` or `f32`.
fn counters(name: &str) -> Vec<&str> {
    let kind = |c: char| (c.is_alphabetic(), c.is_numeric());
    let is_end = |(at, c): (usize, char)| name[at..].chars().nth(1).is_none_or(|next| kind(next) != kind(c));
    let mut counters = Vec::new();
    let mut start = 0;
    for (at, c) in name.char_indices().filter(|&place| is_end(place)) {
        let part = &name[start..at + c.len_utf8()];
        if c.is_numeric() || (c.is_alphabetic() && part.chars().nth(1).is_none()) {
            counters.push(part);
        }
        start = at + c.len_utf8();
    }
    counters
}

/// Help for an unknown `name`: the nearest candidate, or else all of them where they are few.
pub(super) fn help(name: &str, candidates: &[&str], what: &str) -> Option<Suggestion> {
    meant(name, candidates.iter().copied()).or_else(|| all(candidates, what))
}

/// All of `candidates`, where they are few.
pub(super) fn all(candidates: &[&str], what: &str) -> Option<Suggestion> {
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

/// The letters of a name as they are compared.
struct Letters {
    letters: [char; MAX_LETTERS],
    count: usize,
}

impl Letters {
    fn of(name: &str) -> Self {
        let mut of_name = Letters { letters: ['\0'; MAX_LETTERS], count: 0 };
        for (place, c) in of_name.letters.iter_mut().zip(name.chars()) {
            *place = if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() };
            of_name.count += 1;
        }
        of_name
    }

    fn get(&self) -> &[char] {
        &self.letters[..self.count]
    }
}

/// How many letters must be added, taken away, changed or swapped with the next one to make one name of the other; nothing
/// where that is more than `limit`. Both have [`MAX_LETTERS`] at most.
fn distance(one: &[char], other: &[char], limit: usize) -> Option<usize> {
    if one.len().abs_diff(other.len()) > limit {
        return None;
    }
    let (one, other) = without_common_ends(one, other);
    // Of the first letters of `one`: to the first 0, 1, 2 … of `other`. Only those of nearly the same number can be near.
    let far = limit + 1;
    let (mut before, mut last) = ([far; MAX_LETTERS + 1], [far; MAX_LETTERS + 1]);
    (0..=limit.min(other.len())).for_each(|added| last[added] = added);
    for i in 1..=one.len() {
        let mut row = [far; MAX_LETTERS + 1];
        row[0] = i.min(far);
        let near = i.saturating_sub(limit).max(1)..=(i + limit).min(other.len());
        for j in near.clone() {
            let changed = last[j - 1] + usize::from(one[i - 1] != other[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        if row[0] == far && row[near].iter().all(|distance| *distance >= far) {
            return None;
        }
        (before, last) = (last, row);
    }
    Some(last[other.len()]).filter(|distance| *distance <= limit)
}

/// What is left of two names between the letters that both begin with and those that both end with.
fn without_common_ends<'l>(one: &'l [char], other: &'l [char]) -> (&'l [char], &'l [char]) {
    let first = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[first..], &other[first..]);
    let last = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    (&one[..one.len() - last], &other[..other.len() - last])
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
    fn distances_up_to_the_limit_are_those_of_the_whole_table() {
        let letters: Vec<Vec<char>> =
            (0..6).flat_map(|count| (0..3u32.pow(count)).map(move |word| spell(word, count))).collect();
        for (one, other) in letters.iter().flat_map(|one| letters.iter().map(move |other| (one, other))) {
            let whole = strsim::osa_distance(&String::from_iter(one), &String::from_iter(other));
            for limit in 1..=4 {
                assert_eq!(distance(one, other, limit), (whole <= limit).then_some(whole), "{one:?} {other:?} {limit}");
            }
        }
    }

    /// The digits of a number to the base 3, as letters.
    fn spell(word: u32, count: u32) -> Vec<char> {
        (0..count).map(|place| ['a', 'b', 'c'][(word / 3u32.pow(place) % 3) as usize]).collect()
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
    fn names_that_differ_in_what_counts_them_are_others() {
        assert_eq!(counters("eye_l2-ab1"), ["l", "2", "1"]);
        for (name, other) in [("eeg3", "eeg1"), ("eye_r", "eye_l"), ("u16", "i16"), ("left_x", "left_y")] {
            assert_eq!(super::meant(name, [other]), None, "{name}");
        }
        let meant = |name: &str, other: &str| super::meant(name, [other]).unwrap().instead.is_some();
        assert!(meant("eyee_l", "eye_l") && meant("ege1", "eeg1"));
    }

    #[test]
    fn only_a_slip_of_the_finger_is_put_right() {
        let slips = [
            ("cuont", "count"),
            ("bandpas", "bandpass"),
            ("bandpasss", "bandpass"),
            ("frm", "from"),
            ("form", "from"),
            ("drop-oldest", "drop_oldest"),
            ("band_pass", "bandpass"),
            ("csv_sorce", "csv_source"),
            ("Sine", "sine"),
            ("condition", "conditoin"),
            ("stal_timeout", "stall_timeout"),
            ("bamdpass", "bandpass"),
            ("ou", "out"),
        ];
        for (written, meant) in slips {
            assert!(is_slip(written, meant), "{written} {meant}");
        }
        let words = [
            ("interval_ms", "interval"),
            ("no_filter", "filter"),
            ("unmerge", "merge"),
            ("ecg", "eeg"),
            ("cpus", "cpu"),
            ("tick", "tock"),
            ("cosine", "sine"),
            ("ever", "never"),
            ("lock", "block"),
            ("npz_source", "npy_source"),
            ("args", "argv"),
            ("muted", "mute"),
            ("rx", "tx"),
            ("accx", "accy"),
            ("drop_last", "drop_oldest"),
            ("adaptive#c", "adaptive"),
            ("adaptivee#", "adaptive"),
            ("threshold_db", "threshold"),
            ("", "a"),
        ];
        for (written, meant) in words {
            assert!(!is_slip(written, meant), "{written} {meant}");
        }
    }

    #[test]
    fn help_lists_what_there_is_where_nothing_is_near() {
        assert_eq!(help("x", &["in"], "input").unwrap().text, "the only input is `in`");
        assert_eq!(help("zzz", &["left", "right"], "input").unwrap().text, "inputs are `left` and `right`");
        assert_eq!(help("x", &[], "input"), None);
    }
}
