//! Requests of the other side that are the application's to answer.

use super::CallError;
use super::link::{Farewell, Link};
use crate::endpoint::RequestHandle;
use crate::message::{Outgoing, Request, StatusCode};

/// A request that waits for its answer. Dropped, it is refused: an offer with 488, any other with
/// 500.
#[derive(Debug)]
pub struct IncomingRequest {
    link: Link,
    handle: RequestHandle,
    request: Box<Request>,
    /// What it is refused with if nobody answers.
    otherwise: Option<StatusCode>,
}

impl IncomingRequest {
    pub(super) fn new(
        link: Link,
        handle: RequestHandle,
        request: Box<Request>,
        otherwise: StatusCode,
    ) -> Self {
        let otherwise = Some(otherwise);
        Self {
            link,
            handle,
            request,
            otherwise,
        }
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Its name, for logs and for [`UserAgent::act`](super::UserAgent::act).
    pub fn handle(&self) -> RequestHandle {
        self.handle
    }

    /// Answers with 200-699 but 408 (RFC 4320 4.2). If the core has answered already, because
    /// that took too long, nothing happens.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongStatus`](crate::error::Misuse::WrongStatus) or
    /// [`Misuse::ReservedHeader`](crate::error::Misuse::ReservedHeader): the request is refused;
    /// [`CallError::Stopped`].
    pub async fn respond(
        mut self,
        status: StatusCode,
        outgoing: impl Into<Outgoing>,
    ) -> Result<(), CallError> {
        use crate::error::Misuse;
        let (handle, outgoing) = (self.handle, outgoing.into());
        let responded = self
            .link
            .act(move |desk| desk.respond(handle, status, outgoing))
            .await?;
        match responded {
            Ok(()) | Err(Misuse::UnknownHandle) => {
                self.otherwise = None;
                Ok(())
            }
            Err(misuse) => Err(misuse.into()),
        }
    }
}

impl Drop for IncomingRequest {
    fn drop(&mut self) {
        let Some(status) = self.otherwise else {
            return;
        };
        let status = match std::thread::panicking() {
            true => StatusCode::SERVER_INTERNAL_ERROR,
            false => status,
        };
        let request = self.handle;
        self.link.leave(Farewell::Request { request, status });
    }
}
