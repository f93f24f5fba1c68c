//! Text without regard to case, the same in both databases.

/// Lower case as filters compare it: letter by letter, by Unicode. The two small sigmas are one, since which of them
/// stands for the capital depends on the letters around it. PostgreSQL has the same function (`base.sql`).
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|one| if one == 'ς' { 'σ' } else { one }).collect()
}
