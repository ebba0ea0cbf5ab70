//! The blob of a customer: one version byte, then a compact encoding.
//!
//! A version this release does not know is refused, never overwritten (reliability H17).

use std::cell::RefCell;

use postcard::ser_flavors::Flavor;

use crate::customer::Customer;

/// The version that is written.
pub const VERSION: u8 = 3;

/// A blob that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Written by a newer release.
    #[error("the state has version {0}, this release knows up to {VERSION}: run the newer release")]
    Newer(u8),
    /// Written before the first release.
    #[error(
        "the state has version {0}, of before the first release, and is not read: use a new store.prefix and import the customers"
    )]
    Older(u8),
    /// Damaged.
    #[error("the state of a customer is damaged")]
    Damaged,
}

/// Writes the current version.
pub fn encode(customer: &Customer) -> Vec<u8> {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        scratch.push(VERSION);
        // Serialising plain data to memory has no way to fail.
        match postcard::serialize_with_flavor(customer, Bytes(scratch)) {
            Ok(()) => scratch.clone(),
            Err(_) => Vec::new(),
        }
    })
}

/// Appends to bytes that are there: every customer of every commit is written, so what grows is kept for the next.
struct Bytes<'b>(&'b mut Vec<u8>);

impl Flavor for Bytes<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn read(bytes: &[u8]) -> Result<Customer, Error> {
    match postcard::take_from_bytes(bytes) {
        Ok((customer, [])) => Ok(customer),
        _ => Err(Error::Damaged),
    }
}

/// Reads any known version.
///
/// # Errors
/// [`Error`] when the blob is newer or damaged.
pub fn decode(blob: &[u8]) -> Result<Customer, Error> {
    match blob.split_first() {
        Some((&VERSION, rest)) => read(rest),
        // Version 2 ends before `told` and `erased`: an empty list and nothing are a zero byte each.
        Some((&2, rest)) => read(&[rest, &[0, 0]].concat()),
        Some((&version, _)) if version > VERSION => Err(Error::Newer(version)),
        Some((&version, _)) if version > 0 => Err(Error::Older(version)),
        _ => Err(Error::Damaged),
    }
}
