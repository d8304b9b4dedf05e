//! Pages of a listing: the token of a page is the key of the last entry before it.

use proto::failure::BadField;
use proto::field::bad;

/// The token was not given by this listing.
pub(super) fn foreign_token() -> BadField {
    bad("page_token", &"it belongs to another listing: repeat the request that gave it")
}

/// What stands before the key in a token, so that a token of another listing is refused.
fn prefix(listing: &str) -> String {
    format!("{listing}:")
}

/// One page of `entries`, which ascend by `key`, and the token of the next one (empty if there is
/// none). `listing` names the listing with its filters.
pub(super) fn page<T>(
    entries: Vec<T>,
    key: impl Fn(&T) -> String,
    listing: &str,
    (token, len): (&str, usize),
) -> Result<(Vec<T>, String), BadField> {
    let prefix = prefix(listing);
    let after = match token {
        "" => None,
        token => Some(token.strip_prefix(&prefix).ok_or_else(foreign_token)?),
    };
    let is_left = |entry: &T| after.is_none_or(|after| key(entry).as_str() > after);
    let mut left = entries.into_iter().filter(is_left);
    let entries: Vec<T> = left.by_ref().take(len).collect();
    let more = left.next().is_some();
    let next = entries.last().filter(|_| more).map(|last| format!("{prefix}{}", key(last)));
    Ok((entries, next.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(token: &str, len: usize) -> Result<(Vec<u32>, String), BadField> {
        page((10..15).collect(), u32::to_string, "numbers", (token, len))
    }

    #[test]
    fn pages_together_are_the_whole_and_the_last_one_says_so() {
        let (first, token) = numbers("", 2).unwrap();
        let (second, token) = numbers(&token, 2).unwrap();
        let (third, end) = numbers(&token, 2).unwrap();

        assert_eq!([first, second, third].concat(), [10, 11, 12, 13, 14]);
        assert_eq!(end, "");
        assert_eq!(numbers("", 5).unwrap().1, "");
    }

    #[test]
    fn an_entry_that_went_away_between_two_pages_is_no_obstacle() {
        assert_eq!(numbers("numbers:115", 9).unwrap().0, [12, 13, 14]);
    }

    #[test]
    fn a_token_of_another_listing_is_refused() {
        assert_eq!(numbers("letters:b", 2).unwrap_err().field, "page_token");
    }
}
