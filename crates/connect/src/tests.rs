//! Tests of the service over a backend of their own.
