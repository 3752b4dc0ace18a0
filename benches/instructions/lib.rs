//! Nothing but a bench lives in this package.
