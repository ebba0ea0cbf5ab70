//! Closed lists of stable words with a sentence each: one text makes the type, the wire form, and what docs and people read.
//!
//! Absent: the lists themselves; see [`crate::reason`] and [`crate::failed_reason`].

/// Makes an enum of words. With `newer`, words that a later release writes are read as that variant, which is not in
/// `ALL`: this release never writes it.
macro_rules! words {
    (
        #[doc = $about:literal] $enum:ident $(, newer $newer:ident = $newer_word:literal $newer_doc:literal)?;
        $($(#[doc = $doc:literal])+ $name:ident = $word:literal),+ $(,)?
    ) => {
        #[doc = $about]
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $enum {
            $($(#[doc = $doc])+ $name,)+
            $(#[doc = $newer_doc] #[serde(other)] $newer,)?
        }

        impl $enum {
            /// All that this release writes, in the order of the table in the docs.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word on the wire, in metrics and in the docs.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                    $(Self::$newer => $newer_word,)?
                }
            }

            /// One sentence for people.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                    $(Self::$newer => $newer_doc,)?
                }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;
