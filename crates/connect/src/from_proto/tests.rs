//! Tests of reading messages.
