//! The word that somebody probably meant.

/// Words that differ in more than a third of their letters are not alike.
const LIKENESS_DIVISOR: usize = 3;
/// Longer input is nobody's typing error.
const LETTERS_MAX: usize = 64;

/// The candidate with the fewest edits to `word`, if it is near at all. Case does not count.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.chars().count() > LETTERS_MAX {
        return None;
    }
    let given = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (edits(&given, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| {
            let letters = candidate.chars().count().max(given.chars().count());
            *edits <= (letters / LIKENESS_DIVISOR).max(1)
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour (optimal
/// string alignment).
fn edits(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for (row, &letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &other) in to.iter().enumerate() {
            let replaced = previous[column] + usize::from(letter != other);
            let mut least = replaced.min(previous[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && letter == to[column - 1] && from[row - 1] == other {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[to.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_typing_error_finds_its_word_and_nonsense_finds_none() {
        let words = ["vlan_unknown", "vlan_reserved", "hairpin"];
        assert_eq!(nearest("vlan_unkown", words), Some("vlan_unknown"));
        assert_eq!(nearest("VLAN_UNKNOWN", words), Some("vlan_unknown"));
        assert_eq!(nearest("hiarpin", words), Some("hairpin"));
        assert_eq!(nearest("zebra", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(nearest(&"x".repeat(1000), words), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(edits("birdge", "bridge"), 1);
        assert_eq!(edits("kitten", "sitting"), 3);
    }

    proptest! {
        #[test]
        fn edits_are_symmetric_and_zero_only_for_equal_words(a in ".{0,8}", b in ".{0,8}") {
            prop_assert_eq!(edits(&a, &b), edits(&b, &a));
            prop_assert_eq!(edits(&a, &b) == 0, a == b);
        }
    }
}
