//! Export and import of whole registries, over every back end that runs here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checks;
mod damage;
mod interrupted;
mod members;
mod support;
mod whole;
