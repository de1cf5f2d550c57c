//! What a name space refuses.

use std::{error::Error, fmt};

/// Why [`Namespace::create`](crate::Namespace::create) or [`Namespace::open`](crate::Namespace::open) gave no
/// handle; nothing was made, and no name taken.
///
/// # Examples
///
/// ```
/// use batons::{Baton, ManualResetEvent, NameError, Namespace};
///
/// let names = Namespace::new();
/// let _baton = names.create("x", || Baton::new(0))?;
/// let refusal = names.open::<ManualResetEvent>("x").unwrap_err();
/// assert_eq!(
///     refusal.to_string(),
///     "the name belongs to a Baton, not to a ManualResetEvent; nothing was made or opened",
/// );
/// assert_eq!(names.open::<Baton>("y").unwrap_err(), NameError::NotFound);
/// assert_eq!(names.open::<Baton>(r"a\b").unwrap_err(), NameError::Backslash);
/// # Ok::<_, NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing has this name; only from `open`. Win32 `ERROR_FILE_NOT_FOUND`.
    NotFound,
    /// The name belongs to an object of another type. Win32 `ERROR_INVALID_HANDLE`.
    WrongType {
        /// The type of the object.
        found: &'static str,
        /// The type that was asked for.
        wanted: &'static str,
    },
    /// `open` was given the empty name, or either was given a prefix with nothing after it.
    Empty,
    /// The name has a NUL in it, where a name of Win32 ends.
    Nul,
    /// The name has a backslash that does not end one of the two prefixes. Win32 reserves it for them.
    Backslash,
    /// The name, without its prefix, is longer than it may be.
    TooLong {
        /// How many bytes of UTF-8 it may have.
        max: usize,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no object has the name; nothing was opened"),
            Self::WrongType { found, wanted } => {
                write!(f, "the name belongs to a {found}, not to a {wanted}; nothing was made or opened")
            }
            Self::Empty => f.write_str("the name is empty; nothing was made or opened"),
            Self::Nul => f.write_str("the name has a NUL in it; nothing was made or opened"),
            Self::Backslash => f.write_str(
                "the name has a backslash outside of the prefixes `Local\\` and `Global\\`; nothing was made or opened",
            ),
            Self::TooLong { max } => {
                write!(f, "the name is longer than {max} bytes; nothing was made or opened")
            }
        }
    }
}

impl Error for NameError {}
