//! Tests of the in-process log.
