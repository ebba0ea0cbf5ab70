//! What an event says about the person, folded into the profile: state only, nothing begins or ends here.

pub(crate) mod carts;
pub(crate) mod identity;
pub(crate) mod loyalty;
pub(crate) mod orders;
pub(crate) mod session;
