//! Which passwords are taken (after NIST SP 800-63B, 5.1.1.2: length and a list of the commonest, no
//! rules about kinds of characters).

/// The fewest characters.
pub const SHORTEST: usize = 12;
/// The most bytes, so that hashing cannot be made to cost more.
pub const LONGEST: usize = 1_024;

/// Words around which the commonest passwords of twelve and more characters are built.
const COMMON: &[&str] = &[
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "1qaz2wsx",
    "1qaz2wsx3edc",
    "abcdef",
    "abcdefgh",
    "abcdefghijkl",
    "access",
    "admin",
    "administrator",
    "asdfgh",
    "asdfghjkl",
    "asdfghjklzxcvbnm",
    "baseball",
    "batman",
    "changeit",
    "changeme",
    "charlie",
    "computer",
    "default",
    "dragon",
    "football",
    "freedom",
    "google",
    "hello",
    "hunter",
    "iloveyou",
    "internet",
    "letmein",
    "liverpool",
    "login",
    "lovely",
    "master",
    "michael",
    "monkey",
    "mustang",
    "passphrase",
    "password",
    "p@ssw0rd",
    "passw0rd",
    "plimsoll",
    "princess",
    "qazwsx",
    "qazwsxedc",
    "qwerty",
    "qwertyuiop",
    "qwertyuiopasdfghjkl",
    "qwertz",
    "qwertzuiop",
    "root",
    "secret",
    "security",
    "server",
    "shadow",
    "starwars",
    "summer",
    "sunshine",
    "superman",
    "superuser",
    "system",
    "test",
    "testing",
    "trustno",
    "user",
    "welcome",
    "whatever",
    "winter",
    "zaq12wsx",
    "zxcvbn",
    "zxcvbnm",
];

/// Checks a password; `forbidden` are words that must not make it up, such as the user's name. The
/// error says what to do, and never holds the password.
pub fn check(password: &str, forbidden: &[&str]) -> Result<(), String> {
    if password.chars().count() < SHORTEST {
        return Err(format!("must have at least {SHORTEST} characters; a few words in a row are easy to keep in mind"));
    }
    if password.len() > LONGEST {
        return Err(format!("must be at most {LONGEST} bytes long"));
    }
    let lower = password.to_lowercase();
    let mut distinct: Vec<char> = lower.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 5 || is_run(&lower) {
        return Err("repeats itself or counts up; choose something that cannot be guessed".to_owned());
    }
    let words: Vec<String> = COMMON.iter().chain(forbidden).map(|word| word.to_lowercase()).collect();
    if is_made_of(&lower, &words) {
        return Err("is made of a word that everybody tries first; choose something that cannot be guessed".to_owned());
    }
    Ok(())
}

/// Whether nothing but digits, punctuation and the same common word, once or more, is in it.
fn is_made_of(lower: &str, words: &[String]) -> bool {
    words.iter().filter(|word| word.len() >= 3).any(|word| {
        lower.contains(word.as_str())
            && lower.split(word.as_str()).all(|rest| rest.chars().all(|one| !one.is_alphabetic()))
    })
}

/// Whether each character follows the one before (`123456789012`, `abcdefghijkl`).
fn is_run(lower: &str) -> bool {
    let codes: Vec<u32> = lower.chars().map(u32::from).collect();
    let steps = |step: i64| {
        let hits = codes.windows(2).filter(|pair| i64::from(pair[1]) - i64::from(pair[0]) == step).count();
        hits * 10 >= (codes.len() - 1) * 8
    };
    steps(1) || steps(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_and_kinds_of_characters_do_not() {
        for good in ["correct horse battery staple", "kein-wort-dafür", "yxvtsuqwznrm", "тихая мельница"]
        {
            assert_eq!(check(good, &[]), Ok(()), "{good}");
        }
        for bad in [
            "",
            "short",
            "elevenchars",
            "aaaaaaaaaaaa",
            "abababababab",
            "123456789012",
            "abcdefghijklm",
            "password1234",
            "Password!!2026",
            "passwordpassword",
            "qwertyuiop123",
            "P@ssw0rd2026!",
            "changeme-changeme",
            "!!admin-12345!!",
        ] {
            assert!(check(bad, &[]).is_err(), "{bad}");
        }
        assert!(check(&"ab cd ".repeat(400), &[]).is_err());
    }

    #[test]
    fn the_own_name_is_no_password() {
        assert!(check("lovelace-2026", &[]).is_ok());
        let refused = check("Lovelace-2026", &["lovelace"]).unwrap_err();
        assert!(!refused.contains("2026"));
        assert!(check("lovelace wrote notes", &["lovelace"]).is_ok());
    }
}
