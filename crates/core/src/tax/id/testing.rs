//! What the tests of the identifiers share: many seeded texts near the border between right and wrong.

/// Characters that are likely to slip through or to break something: separators, blanks, look-alikes of other scripts,
/// letters whose upper case is ASCII, controls, an emoji.
const ODD: &[char] = &[
    '.',
    '-',
    '/',
    ' ',
    '\t',
    '\n',
    '\0',
    '0',
    '1',
    '9',
    'k',
    'K',
    'V',
    'e',
    'J',
    'z',
    'A',
    '_',
    '+',
    '\u{131}',
    '\u{17f}',
    '\u{212a}',
    '\u{661}',
    '\u{ff11}',
    '\u{ff21}',
    '\u{a0}',
    '\u{2010}',
    '\u{1f600}',
    ':',
    '@',
    '[',
    '`',
    '{',
];

struct Random(u64);

impl Random {
    /// xorshift64*: enough to spread texts, and the same on every machine.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn one_of(&mut self, from: &str) -> char {
        let at = self.below(from.len());
        char::from(from.as_bytes()[at])
    }

    fn fill(&mut self, c: char) -> char {
        match c {
            '9' => self.one_of("0123456789"),
            '?' => self.one_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
            c => c,
        }
    }

    fn mutate(&mut self, text: &mut Vec<char>) {
        let at = self.below(text.len() + 1);
        let odd = ODD[self.below(ODD.len())];
        match self.below(3) {
            0 => text.insert(at, odd),
            1 if at < text.len() => text[at] = odd,
            _ if at < text.len() => drop(text.remove(at)),
            _ => {}
        }
    }
}

/// A debug build takes about five seconds for a million.
const TEXTS: usize = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };

/// Hands many texts to `judge`, which answers whether the strict reading took it: a template with `9` for any digit and
/// `?` for any letter or digit, then up to two random edits. Enough must be right for the comparison to mean anything.
pub(super) fn many(seed: u64, templates: &[&str], judge: impl Fn(&str) -> bool) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut accepted = 0;
    for _ in 0..TEXTS {
        let template = templates[random.below(templates.len())];
        let mut text: Vec<char> = template.chars().map(|c| random.fill(c)).collect();
        for _ in 0..random.below(3) {
            random.mutate(&mut text);
        }
        accepted += usize::from(judge(&String::from_iter(text)));
    }
    assert!((TEXTS / 500..TEXTS * 9 / 10).contains(&accepted), "{accepted} of {TEXTS} accepted");
}

/// Texts of ten megabytes: each must be refused in one short line of printable ASCII.
pub(super) fn huge(refusal: impl Fn(&str) -> String) {
    for unit in ["9", "K", "-", ".", " ", "/", "\0", "\u{1b}", "\u{1f600}", "V-", "\u{212a}"] {
        let line = refusal(&unit.repeat(10_000_000 / unit.len()));
        assert!(line.len() <= 200 && line.bytes().all(|b| (0x20..0x7f).contains(&b)), "{line}");
    }
}
