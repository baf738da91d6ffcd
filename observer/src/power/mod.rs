//! Power: the scale of StatefulSets, 0 or 1, as the registry says.

mod feed;
mod queue;
mod scaler;

pub(crate) use feed::follow;
pub(crate) use queue::Order;
pub(crate) use scaler::Scaler;
