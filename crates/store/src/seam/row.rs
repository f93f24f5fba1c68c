//! Rows, read column by column in the order of the statement.

use plimsoll_core::{Digest, Error, Result, Timestamp, id::TypedId};

/// One column's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// One row of an answer.
#[derive(Debug)]
pub struct Row(pub(crate) Vec<Column>);

impl Row {
    /// Reads the columns from the first to the last.
    #[must_use]
    pub fn reader(self) -> RowReader {
        RowReader(self.0.into_iter())
    }

    /// The row's only or first column.
    pub fn first<T: FromColumn>(self) -> Result<T> {
        self.reader().next()
    }
}

/// Hands out a row's columns in order.
#[derive(Debug)]
pub struct RowReader(std::vec::IntoIter<Column>);

impl RowReader {
    /// The next column as `T`.
    #[expect(clippy::should_implement_trait, reason = "not an iterator: each column has its own type")]
    pub fn next<T: FromColumn>(&mut self) -> Result<T> {
        let column = self.0.next().ok_or_else(|| Error::internal_defect("a row has fewer columns than are read"))?;
        T::from_column(column)
    }

    /// The next column, JSON text, as `T`.
    pub fn next_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        let text: String = self.next()?;
        serde_json::from_str(&text)
            .map_err(|cause| Error::internal_defect(format!("stored JSON does not fit its type: {cause}")))
    }
}

/// What a column can be read as.
pub trait FromColumn: Sized {
    #[doc(hidden)]
    fn from_column(column: Column) -> Result<Self>;
}

fn mismatch<T>(wanted: &str, column: &Column) -> Result<T> {
    let found = match column {
        Column::Null => "NULL",
        Column::Int(_) => "a number",
        Column::Text(_) => "text",
        Column::Blob(_) => "bytes",
    };
    Err(Error::internal_defect(format!("a column holds {found} where {wanted} is read")))
}

impl FromColumn for i64 {
    fn from_column(column: Column) -> Result<Self> {
        match column {
            Column::Int(number) => Ok(number),
            other => mismatch("a number", &other),
        }
    }
}
impl FromColumn for bool {
    fn from_column(column: Column) -> Result<Self> {
        i64::from_column(column).map(|number| number != 0)
    }
}
impl FromColumn for String {
    fn from_column(column: Column) -> Result<Self> {
        match column {
            Column::Text(text) => Ok(text),
            other => mismatch("text", &other),
        }
    }
}
impl FromColumn for Vec<u8> {
    fn from_column(column: Column) -> Result<Self> {
        match column {
            Column::Blob(bytes) => Ok(bytes),
            other => mismatch("bytes", &other),
        }
    }
}
impl FromColumn for Timestamp {
    fn from_column(column: Column) -> Result<Self> {
        i64::from_column(column).map(Self::from_micros)
    }
}
impl FromColumn for Digest {
    fn from_column(column: Column) -> Result<Self> {
        String::from_column(column)?.parse()
    }
}
impl FromColumn for uuid::Uuid {
    fn from_column(column: Column) -> Result<Self> {
        let text = String::from_column(column)?;
        Self::try_parse(&text).map_err(|cause| Error::internal_defect(format!("a stored id is no UUID: {cause}")))
    }
}
macro_rules! ids_from_columns {
    ($($name:ident),+) => {$(
        impl FromColumn for plimsoll_core::id::$name {
            fn from_column(column: Column) -> Result<Self> {
                uuid::Uuid::from_column(column).map(Self::from_uuid)
            }
        }
    )+};
}
plimsoll_core::for_each_id!(ids_from_columns);
impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(column: Column) -> Result<Self> {
        match column {
            Column::Null => Ok(None),
            some => T::from_column(some).map(Some),
        }
    }
}
