//! The product's memory: records and transactions over a small ordered-key store.

pub mod store;
