//! What the table as a whole promises.

mod ageing;
mod capacity;
mod crafted;
mod growth;
mod kernels;
mod model;
mod threads;
mod writer;
