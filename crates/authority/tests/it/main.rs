//! Integration tests of the authority: one binary.

// `cfg(test)` holds here anyway; it tells the lints that these are tests.
#[cfg(test)]
mod assertions;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod hostile_tokens;
#[cfg(test)]
mod support;
#[cfg(test)]
mod token_fuzz;
