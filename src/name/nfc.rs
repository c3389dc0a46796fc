//! Unicode's Normalization Form C, for names.
//!
//! The tables take 23 KB of the program; the package `unicode-normalization`, which knows other forms as well, takes
//! 142. Tests make the tables anew from that package, and compare the outcome for every character.

/// Each character with a canonical decomposition: itself, the character that it begins with, and the one that follows,
/// or 0. All are of three bytes, big-endian; ascending.
const DECOMPOSITIONS: &[u8] = include_bytes!("nfc/decompositions.bin");
const DECOMPOSITION: usize = 9;

/// Those decompositions that are undone in this form, by their numbers of two bytes; ascending by the two characters.
const COMPOSITIONS: &[u8] = include_bytes!("nfc/compositions.bin");
const COMPOSITION: usize = 2;

/// Runs of marks of one combining class: the first of three bytes, how many, the class. Ascending.
const CLASSES: &[u8] = include_bytes!("nfc/classes.bin");
const CLASS: usize = 5;

// Syllables of Hangul are computed: of a leading consonant, a vowel, and perhaps a trailing consonant.
const SYLLABLES: u32 = 0xAC00;
const LEADING: (u32, u32) = (0x1100, 19);
const VOWELS: (u32, u32) = (0x1161, 21);
const TRAILING: (u32, u32) = (0x11A7, 28);

/// Whether a text is certainly in Form C, which is found out without tables: most names are of these scripts.
pub fn is_surely_nfc(text: &str) -> bool {
    text.chars().all(|c| {
        c < '\u{300}'
            || matches!(c,
                '\u{391}'..='\u{3A1}' | '\u{3B1}'..='\u{3C9}' | '\u{400}'..='\u{481}' | '\u{5D0}'..='\u{5EA}'
                | '\u{621}'..='\u{64A}' | '\u{E01}'..='\u{E30}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FC}'
                | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{1F300}'..='\u{1FAFF}')
    })
}

/// A text in Form C.
pub fn to_nfc(text: &str) -> String {
    let mut chars = Vec::with_capacity(text.len());
    for c in text.chars() {
        decompose(c, &mut chars);
    }
    for marks in chars.chunk_by_mut(|&(_, before), &(_, class)| before != 0 && class != 0) {
        marks.sort_by_key(|&(_, class)| class);
    }
    compose(&chars)
}

/// The combining class of a character; 0 if it does not combine with the one before.
pub fn class(c: char) -> u8 {
    let rows = CLASSES.len() / CLASS;
    let behind = first_where(rows, |at| u24(&CLASSES[at * CLASS..]) > u32::from(c));
    let Some(row) = behind.checked_sub(1).map(|at| &CLASSES[at * CLASS..]) else { return 0 };
    if u32::from(c) - u24(row) < u32::from(row[3]) { row[4] } else { 0 }
}

/// Appends what a character consists of, each with its class.
fn decompose(c: char, out: &mut Vec<(char, u8)>) {
    let code = u32::from(c);
    let rows = DECOMPOSITIONS.len() / DECOMPOSITION;
    let at = first_where(rows, |at| u24(decomposition(at)) >= code);
    if let Some(syllable) = code.checked_sub(SYLLABLES).filter(|&at| at < LEADING.1 * VOWELS.1 * TRAILING.1) {
        let (lead, trail) = (syllable / (VOWELS.1 * TRAILING.1), syllable % TRAILING.1);
        let parts = [LEADING.0 + lead, VOWELS.0 + syllable / TRAILING.1 % VOWELS.1, TRAILING.0 + trail];
        let count = if trail == 0 { 2 } else { 3 };
        out.extend(parts[..count].iter().filter_map(|&part| Some((char::from_u32(part)?, 0))));
    } else if at < rows && u24(decomposition(at)) == code {
        let row = decomposition(at);
        let parts = [u24(&row[3..]), u24(&row[6..])];
        parts
            .iter()
            .filter(|&&part| part != 0)
            .filter_map(|&part| char::from_u32(part))
            .for_each(|c| decompose(c, out));
    } else {
        out.push((c, class(c)));
    }
}

/// Puts together what belongs together. A mark joins the last character of class 0 if none between them is of its class
/// or of a higher one.
fn compose(chars: &[(char, u8)]) -> String {
    let mut out: Vec<char> = Vec::with_capacity(chars.len());
    let (mut base, mut last_class) = (None, 0);
    for &(c, class) in chars {
        if let Some(at) = base.filter(|&at| at + 1 == out.len() || last_class < class)
            && let Some(composed) = composition(out[at], c)
        {
            out[at] = composed;
            continue;
        }
        if class == 0 {
            base = Some(out.len());
        }
        last_class = class;
        out.push(c);
    }
    out.into_iter().collect()
}

/// What two characters become.
fn composition(first: char, second: char) -> Option<char> {
    let (first, second) = (u32::from(first), u32::from(second));
    let place = |code: u32, (from, count): (u32, u32)| code.checked_sub(from).filter(|&at| at < count);
    if let (Some(lead), Some(vowel)) = (place(first, LEADING), place(second, VOWELS)) {
        return char::from_u32(SYLLABLES + (lead * VOWELS.1 + vowel) * TRAILING.1);
    }
    let open = place(first, (SYLLABLES, LEADING.1 * VOWELS.1 * TRAILING.1)).filter(|at| at % TRAILING.1 == 0);
    if let (Some(_), Some(trail)) = (open, place(second, TRAILING).filter(|&at| at > 0)) {
        return char::from_u32(first + trail);
    }
    let row = |at: usize| {
        let number = &COMPOSITIONS[at * COMPOSITION..];
        decomposition(usize::from(u16::from_be_bytes([number[0], number[1]])))
    };
    let parts = |at: usize| (u24(&row(at)[3..]), u24(&row(at)[6..]));
    let rows = COMPOSITIONS.len() / COMPOSITION;
    let at = first_where(rows, |at| parts(at) >= (first, second));
    if at < rows && parts(at) == (first, second) { char::from_u32(u24(row(at))) } else { None }
}

fn decomposition(number: usize) -> &'static [u8] {
    &DECOMPOSITIONS[number * DECOMPOSITION..][..DECOMPOSITION]
}

fn u24(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])
}

/// The first of `count` numbers for which this is so, if it is so for all that follow; `count` if there is none.
fn first_where(count: usize, is_so: impl Fn(usize) -> bool) -> usize {
    let (mut from, mut to) = (0, count);
    while from < to {
        let middle = usize::midpoint(from, to);
        if is_so(middle) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}

#[cfg(test)]
mod tests;
