//! Parameters: the few types that both databases share.

use std::borrow::Cow;

use bytes::BytesMut;
use plimsoll_core::{Digest, Timestamp, id::TypedId};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A bound parameter. Booleans are 0 and 1, instants microseconds, ids and enums text, JSON text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// SQL NULL, of whatever type the statement wants.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(Cow<'a, str>),
    /// BLOB or BYTEA.
    Blob(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// The same value without borrows.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(number),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Blob(bytes) => Value::Blob(Cow::Owned(bytes.into_owned())),
        }
    }
}

/// What can be bound.
pub trait IntoValue<'a> {
    /// As a parameter.
    fn into_value(self) -> Value<'a>;
}

impl<'a> IntoValue<'a> for Value<'a> {
    fn into_value(self) -> Value<'a> {
        self
    }
}
impl<'a> IntoValue<'a> for i64 {
    fn into_value(self) -> Value<'a> {
        Value::Int(self)
    }
}
impl<'a> IntoValue<'a> for u32 {
    fn into_value(self) -> Value<'a> {
        Value::Int(i64::from(self))
    }
}
impl<'a> IntoValue<'a> for bool {
    fn into_value(self) -> Value<'a> {
        Value::Int(i64::from(self))
    }
}
impl<'a> IntoValue<'a> for &'a str {
    fn into_value(self) -> Value<'a> {
        Value::Text(Cow::Borrowed(self))
    }
}
impl<'a> IntoValue<'a> for &'a String {
    fn into_value(self) -> Value<'a> {
        Value::Text(Cow::Borrowed(self))
    }
}
impl<'a> IntoValue<'a> for String {
    fn into_value(self) -> Value<'a> {
        Value::Text(Cow::Owned(self))
    }
}
impl<'a> IntoValue<'a> for &'a [u8] {
    fn into_value(self) -> Value<'a> {
        Value::Blob(Cow::Borrowed(self))
    }
}
impl<'a> IntoValue<'a> for Vec<u8> {
    fn into_value(self) -> Value<'a> {
        Value::Blob(Cow::Owned(self))
    }
}
impl<'a> IntoValue<'a> for Timestamp {
    fn into_value(self) -> Value<'a> {
        Value::Int(self.as_micros())
    }
}
impl<'a> IntoValue<'a> for Digest {
    fn into_value(self) -> Value<'a> {
        Value::Text(Cow::Owned(self.to_string()))
    }
}
impl<'a> IntoValue<'a> for uuid::Uuid {
    fn into_value(self) -> Value<'a> {
        Value::Text(Cow::Owned(self.hyphenated().to_string()))
    }
}
macro_rules! ids_into_values {
    ($($name:ident),+) => {$(
        impl<'a> IntoValue<'a> for plimsoll_core::id::$name {
            fn into_value(self) -> Value<'a> {
                self.uuid().into_value()
            }
        }
    )+};
}
plimsoll_core::for_each_id!(ids_into_values);
impl<'a, T: IntoValue<'a>> IntoValue<'a> for Option<T> {
    fn into_value(self) -> Value<'a> {
        self.map_or(Value::Null, IntoValue::into_value)
    }
}

/// Builds a parameter list: `params![tenant, id, name]`.
#[macro_export]
macro_rules! params {
    () => { &[] as &[$crate::Value<'_>] };
    ($($value:expr),+ $(,)?) => { &[$($crate::IntoValue::into_value($value)),+] };
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql_checked(wanted, out),
            Self::Text(text) => text.as_ref().to_sql_checked(wanted, out),
            Self::Blob(bytes) => bytes.as_ref().to_sql_checked(wanted, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
