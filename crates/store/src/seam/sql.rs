//! One SQL text for both databases.

/// Rewrites `$n` to `?n` for SQLite, where `$n` would be a *named* parameter numbered by first appearance
/// (`WHERE name=$2 AND tenant_id=$1` would swap the values without an error). Text within quotes stays.
/// Returns the statement and the highest number used.
pub(crate) fn to_sqlite(sql: &str) -> (String, usize) {
    let mut out = String::with_capacity(sql.len());
    let (mut quoted, mut highest) = (None, 0);
    let mut chars = sql.chars().peekable();
    while let Some(next) = chars.next() {
        match quoted {
            Some(quote) => {
                if next == quote {
                    quoted = None;
                }
                out.push(next);
            }
            None if next == '\'' || next == '"' => {
                quoted = Some(next);
                out.push(next);
            }
            None if next == '$' && chars.peek().is_some_and(char::is_ascii_digit) => {
                let mut number = 0;
                while let Some(digit) = chars.peek().and_then(|digit| digit.to_digit(10)) {
                    number = number * 10 + digit as usize;
                    chars.next();
                }
                highest = highest.max(number);
                out.push('?');
                out.push_str(&number.to_string());
            }
            None => out.push(next),
        }
    }
    (out, highest)
}

#[cfg(test)]
mod tests {
    use super::to_sqlite;

    #[test]
    fn numbers_survive_out_of_order_and_literals_are_left_alone() {
        let sql = "SELECT '$1', \"a$2\" FROM t WHERE name = $2 AND tenant_id = $1 AND x > $12 AND y = $2";
        let wanted = "SELECT '$1', \"a$2\" FROM t WHERE name = ?2 AND tenant_id = ?1 AND x > ?12 AND y = ?2";
        assert_eq!(to_sqlite(sql), (wanted.to_owned(), 12));
    }
}
