//! Credentials for the requests of a call (RFC 3261 22): kept for its Call-ID, sent with every
//! request once a realm has challenged, and repeated in the ACK of their INVITE.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Core, RequestId};
use crate::auth::{Attempt, Client, Protected, Side};
use crate::message::{Body, HeaderList, Method, Outgoing, Response, StatusCode};

/// What a call that was challenged knows.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Credentials {
    client: Client,
    /// What the INVITEs that are alive were sent with: their ACK carries it too (22.1).
    invites: Vec<(RequestId, HeaderList)>,
}

impl Core {
    /// Takes a 401 or 407. Whether the request is to be sent again, with a higher CSeq.
    pub(super) fn is_challenged(&mut self, attempt: &mut Attempt, response: &Response) -> bool {
        let status = response.status();
        if status != StatusCode::UNAUTHORIZED && status != StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return false;
        }
        let (context, base) = (&self.context, self.branch_base());
        let credentials = self.credentials.get_or_insert_with(|| {
            let mut stream = context.ids.credentials(base);
            let client = Client::new(context.keyring.clone(), &mut stream);
            let client = client.with_limits(&context.limits);
            let invites = Vec::new();
            Box::new(Credentials { client, invites })
        });
        credentials.client.challenged(attempt, response).is_ok()
    }

    /// Adds what the realms that have challenged so far want to see.
    pub(super) fn authorize(
        &mut self,
        attempt: &mut Attempt,
        method: Method<'_>,
        uri: &[u8],
        body: Option<&Body>,
        headers: &mut HeaderList,
    ) {
        if let Some(credentials) = &mut self.credentials {
            let body = body.map_or(&[][..], |body| body.bytes());
            let protected = Protected { method, uri, body };
            headers.extend(credentials.client.authorize(attempt, &protected));
        }
    }

    /// The same for a request within a dialog.
    pub(super) fn authorize_within(
        &mut self,
        at: usize,
        attempt: &mut Attempt,
        method: Method<'_>,
        outgoing: &Outgoing,
    ) -> HeaderList {
        let mut headers = outgoing.headers.clone();
        if self.credentials.is_some() {
            let dialog = self.legs.get(at).map(|leg| &leg.dialog);
            let uri = dialog.map(|dialog| dialog.request(method, 0).uri().to_vec());
            let uri = uri.unwrap_or_default();
            self.authorize(attempt, method, &uri, outgoing.body.as_ref(), &mut headers);
        }
        headers
    }

    /// An INVITE goes out with the credentials of this attempt.
    pub(super) fn sent_with(&mut self, invite: RequestId, attempt: &Attempt) {
        if let Some(credentials) = &mut self.credentials {
            let lines = attempt.lines().clone();
            credentials.invites.push((invite, lines));
        }
    }

    /// The credentials that the ACK for this INVITE carries.
    pub(super) fn credentials_of(&self, invite: RequestId) -> Option<&HeaderList> {
        let invites = &self.credentials.as_ref()?.invites;
        invites
            .iter()
            .find(|(id, _)| *id == invite)
            .map(|(_, lines)| lines)
    }

    pub(super) fn forget_credentials(&mut self, invite: RequestId) {
        if let Some(credentials) = &mut self.credentials {
            credentials.invites.retain(|(id, _)| *id != invite);
        }
    }

    /// 22.3: what a server was shown is nothing for another one. The proxies on the way stay.
    pub(super) fn forget_server_credentials(&mut self) {
        if let Some(credentials) = &mut self.credentials {
            credentials.client.forget(Side::Server);
        }
    }

    /// What a response says of the server (RFC 7616 3.5): the next nonce.
    pub(super) fn is_authorized(&mut self, attempt: &Attempt, response: &Response) {
        if let Some(credentials) = &mut self.credentials {
            // A proof that is wrong makes the nonce go unused; SIP has no way to refuse the 2xx.
            let _ = credentials.client.confirmed(attempt, response);
        }
    }
}
