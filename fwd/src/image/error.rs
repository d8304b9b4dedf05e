//! Why tables are no image.

/// The tables do not fit the image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// An index in the tables points nowhere.
    #[error(
        "{object} refers to {target}, which the tables do not have: report it with the site file"
    )]
    Dangling {
        /// Who refers.
        object: String,
        /// To what.
        target: String,
    },
    /// More elements than their numbers can name.
    #[error(
        "{count} {what} are more than the {limit} that an image can hold: split the site over several hosts"
    )]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// `object` refers to `number`, which is no `what` of the tables.
pub(super) fn dangling(
    object: impl Into<String>,
    what: &str,
    number: impl std::fmt::Display,
) -> ImageError {
    ImageError::Dangling { object: object.into(), target: format!("{what} {number}") }
}

/// Fails if there are more than `limit`.
pub(super) fn bound(what: &'static str, count: usize, limit: usize) -> Result<(), ImageError> {
    if count > limit { Err(ImageError::TooMany { what, count, limit }) } else { Ok(()) }
}

/// More than 16 bits count.
pub(super) fn too_many(what: &'static str, count: usize) -> ImageError {
    ImageError::TooMany { what, count, limit: usize::from(u16::MAX) }
}

/// A number of 32 bits.
pub(super) fn index(what: &'static str, count: usize) -> Result<u32, ImageError> {
    u32::try_from(count).map_err(|_| ImageError::TooMany { what, count, limit: u32::MAX as usize })
}
