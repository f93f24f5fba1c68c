//! The binary as people use it: real processes, their output and exit codes.

mod offline;
mod served;
mod signed_in;
mod support;
