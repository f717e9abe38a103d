//! Enums of settings: every one can be listed, and the first choice is the default.

macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $(#[$first_about:meta])* $first:ident, $($(#[$variant_about:meta])* $variant:ident,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name {
            $(#[$first_about])*
            #[default]
            $first,
            $($(#[$variant_about])* $variant,)*
        }

        impl $name {
            /// Every choice; the first is the default.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$variant,)*];
        }
    };
}
