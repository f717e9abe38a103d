//! Where a signature is printed: at a word, in a box, or where the service puts it (contract 4.4, assumed).

/// Where a signature is printed. Never a word and a box together: which of the two the service would take is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias("anchor", "ancla"))]
pub enum Placement {
    /// Where the service puts it; no key is sent.
    #[default]
    Unset,
    /// At a word of the document: its start becomes the top left corner of an image of 180 x 60 pixels.
    Anchor(String),
    /// In a box of a page.
    Box(SignBox),
}

impl Placement {
    /// At a word. It is trimmed when the flow is built; an empty one, or one of several lines, is refused; more than 63
    /// characters are an error in a V2 workflow and a warning in a V1 flow.
    pub fn anchor(word: impl Into<String>) -> Self {
        Self::Anchor(word.into())
    }

    /// In a box: `(x1, y1)` is its bottom left corner and `(x2, y2)` its top right one, from the bottom left corner of the page.
    /// Pages count from 1; a ratio of 3:1 is advised.
    #[must_use]
    pub const fn sign_box(x1: i64, y1: i64, x2: i64, y2: i64, page: i64) -> Self {
        Self::Box(SignBox::new(x1, y1, x2, y2, page))
    }
}

/// A box on a page, in the units of the page (points in a PDF), origin at the **bottom** left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignBox {
    pub(crate) x1: Option<i64>,
    pub(crate) y1: Option<i64>,
    pub(crate) x2: Option<i64>,
    pub(crate) y2: Option<i64>,
    pub(crate) page: Option<i64>,
}

impl SignBox {
    /// A box by two corners: bottom left `(x1, y1)`, top right `(x2, y2)`.
    #[must_use]
    pub const fn new(x1: i64, y1: i64, x2: i64, y2: i64, page: i64) -> Self {
        Self { x1: Some(x1), y1: Some(y1), x2: Some(x2), y2: Some(y2), page: Some(page) }
    }

    /// A box of which parts may be missing, as read from a form or a file: the builder of the flow reports each one that is.
    #[must_use]
    pub const fn from_parts(corners: [Option<i64>; 4], page: Option<i64>) -> Self {
        let [x1, y1, x2, y2] = corners;
        Self { x1, y1, x2, y2, page }
    }

    /// A box that was measured from the **top** left corner of the page, as screens do it.
    ///
    /// ```
    /// use legale::flow::SignBox;
    ///
    /// // 100 down from the top of an A4 page of 842 points, 180 x 60.
    /// let sign_box = SignBox::from_top_left(50, 100, 180, 60, 1, 842);
    /// assert_eq!(sign_box, SignBox::new(50, 682, 230, 742, 1));
    /// ```
    #[must_use]
    pub const fn from_top_left(
        left: i64,
        top: i64,
        width: i64,
        height: i64,
        page: i64,
        page_height: i64,
    ) -> Self {
        let upper = page_height.saturating_sub(top);
        Self::new(left, upper.saturating_sub(height), left.saturating_add(width), upper, page)
    }

    /// The five values by their wire names.
    pub(crate) fn parts(&self) -> [(&'static str, Option<i64>); 5] {
        [("x1", self.x1), ("y1", self.y1), ("x2", self.x2), ("y2", self.y2), ("pageno", self.page)]
    }
}
