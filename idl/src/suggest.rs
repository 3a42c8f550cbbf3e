//! Finds the nearest known name, for "did you mean".

/// Maximum number of names compared: a suggestion must not cost more than the rest of the work.
const MAX_CANDIDATES: usize = 5_000;
/// Maximum length of a name compared, in bytes. Longer names are seldom misspelt by a letter or two, and comparing
/// costs the square of the length.
const MAX_LENGTH: usize = 60;

/// Returns the candidate nearest to `name`, if any is near enough. Of equally near ones it is the first.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.len();
    if length > MAX_LENGTH {
        return None;
    }
    // Another letter is another name.
    let bound = if length < 2 { 0 } else { (length / 3).max(1) };
    let mut best: Option<(usize, &str)> = None;
    let near = candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| candidate.len().abs_diff(length) <= bound);
    for candidate in near {
        let distance = strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
        if distance <= bound && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_what_is_near() {
        let known = ["string", "struct", "u32"];
        assert_eq!(nearest("strng", known), Some("string"));
        assert_eq!(nearest("Struct", known), Some("struct"));
        assert_eq!(nearest("u23", known), Some("u32"));
        assert_eq!(nearest("money", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("t", ["S", "T"]), Some("T"));
        assert_eq!(nearest("u", ["S", "T"]), None);
    }
}
