//! Reads choices off the front of the bytes. The corpus stays readable: `0` is the first choice, `1` the second.

/// What is left of the bytes.
#[derive(Clone, Copy)]
pub struct Input<'i>(pub &'i [u8]);

impl<'i> Input<'i> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return b'0' };
        self.0 = rest;
        first.wrapping_sub(b'0')
    }

    pub fn choose<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[usize::from(self.byte()) % from.len()]
    }

    /// Up to the separator, which is left out.
    pub fn until(&mut self, separator: u8) -> &'i [u8] {
        let end = self.0.iter().position(|byte| *byte == separator).unwrap_or(self.0.len());
        let (head, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        head
    }

    /// A number from the next eight bytes, or from as many as there are.
    pub fn number(&mut self) -> i64 {
        let (head, rest) = self.0.split_at(self.0.len().min(8));
        self.0 = rest;
        head.iter().fold(0, |number, byte| (number << 8) | i64::from(*byte))
    }
}

/// Cuts bytes into pieces: `0` not at all, `1` into single bytes, anything else by chance.
pub fn pieces(bytes: &[u8], split: u8) -> Vec<bytes::Bytes> {
    let mut chance = u64::from(split).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut size = || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        1 + usize::try_from(chance % 19).unwrap_or(0)
    };
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let length = match split {
            0 => rest.len(),
            1 => 1,
            _ => size(),
        };
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(bytes::Bytes::copy_from_slice(piece));
        rest = after;
    }
    pieces
}
