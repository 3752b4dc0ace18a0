//! Typed values of the headers that are neither addresses nor numbers, one file a family, and how
//! a message hands them out.

mod agent;
mod auth;
mod content;
mod date;
mod identity;
mod read;
mod refer;
mod routing;
mod security;
mod shape;
mod subscription;
mod timer;
mod warning;

pub use agent::{Product, Products};
pub use auth::{AuthInfo, AuthParams, Challenge, Credentials};
pub use content::{
    AnswerMode, Coding, Disposition, FeatureSet, InfoPackage, LanguageRange, Priority,
};
pub use date::Date;
pub use identity::{Identity, Privacy};
pub use refer::{Join, ReferSub, Reference, ReferredBy, Replaces, TargetDialog};
pub use routing::{Diversion, HistoryEntry, Reason};
pub use security::SecurityMechanism;
pub use subscription::{Event, SubscriptionState};
pub use timer::{MinSe, SessionExpires};
pub use warning::Warning;
