//! Status codes of responses.

use core::fmt;

/// A status code from 100 to 699 (3261 7.2, 21).
///
/// Any code in that range is a status code; those of the RFCs have constants.
///
/// ```
/// use drongo::message::StatusCode;
///
/// let status = StatusCode::new(183).unwrap();
/// assert_eq!(status, StatusCode::SESSION_PROGRESS);
/// assert!(status.is_provisional());
/// assert_eq!(StatusCode::new(700), None);
/// assert_eq!(StatusCode::new(299).map(|s| s.class()), Some(2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StatusCode(u16);

impl StatusCode {
    /// The code, if it is from 100 to 699.
    pub const fn new(code: u16) -> Option<Self> {
        if matches!(code, 100..=699) {
            Some(Self(code))
        } else {
            None
        }
    }

    /// Reads exactly three digits.
    ///
    /// ```
    /// use drongo::message::StatusCode;
    ///
    /// assert_eq!(StatusCode::parse(b"486"), Some(StatusCode::BUSY_HERE));
    /// assert_eq!(StatusCode::parse(b"4294967301"), None);
    /// ```
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = bytes else {
            return None;
        };
        let digit = |b: u8| u16::from(b & 15);
        let tens = digit(a).wrapping_mul(10).wrapping_add(digit(b));
        Self::new(tens.wrapping_mul(10).wrapping_add(digit(c)))
    }

    /// The code as a number, from 100 to 699.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// The first digit, from 1 to 6. A client treats a code that it does not know as the `x00` of
    /// its class (3261 8.1.3.2).
    pub const fn class(self) -> u16 {
        self.0 / 100
    }

    /// 1xx: the request is still in work.
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// 2xx to 6xx: the request is done.
    pub const fn is_final(self) -> bool {
        self.0 >= 200
    }

    /// 2xx.
    pub const fn is_success(self) -> bool {
        self.class() == 2
    }
}

/// The phrases, and what is made of them.
macro_rules! phrases {
    ($($code:literal $phrase:literal,)*) => {
        impl StatusCode {
            /// The RFC's phrase; for a code that is not in the RFCs, the phrase of its class. A
            /// phrase is for people: nothing may depend on it.
            pub const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $phrase,)*
                    _ => match self.class() {
                        1 => "Provisional",
                        2 => "Success",
                        3 => "Redirection",
                        4 => "Client Error",
                        5 => "Server Error",
                        _ => "Global Failure",
                    },
                }
            }

            /// The whole status line with the RFC's phrase, for a code that is in the RFCs.
            pub(crate) const fn line(self) -> Option<&'static str> {
                Some(match self.0 {
                    $($code => concat!("SIP/2.0 ", $code, " ", $phrase, "\r\n"),)*
                    _ => return None,
                })
            }
        }
    };
}

phrases! {
    100 "Trying",
    180 "Ringing",
    181 "Call Is Being Forwarded",
    182 "Queued",
    183 "Session Progress",
    199 "Early Dialog Terminated",
    200 "OK",
    202 "Accepted",
    204 "No Notification",
    300 "Multiple Choices",
    301 "Moved Permanently",
    302 "Moved Temporarily",
    305 "Use Proxy",
    380 "Alternative Service",
    400 "Bad Request",
    401 "Unauthorized",
    402 "Payment Required",
    403 "Forbidden",
    404 "Not Found",
    405 "Method Not Allowed",
    406 "Not Acceptable",
    407 "Proxy Authentication Required",
    408 "Request Timeout",
    410 "Gone",
    412 "Conditional Request Failed",
    413 "Request Entity Too Large",
    414 "Request-URI Too Long",
    415 "Unsupported Media Type",
    416 "Unsupported URI Scheme",
    417 "Unknown Resource-Priority",
    420 "Bad Extension",
    421 "Extension Required",
    422 "Session Interval Too Small",
    423 "Interval Too Brief",
    424 "Bad Location Information",
    425 "Bad Alert Message",
    428 "Use Identity Header",
    429 "Provide Referrer Identity",
    430 "Flow Failed",
    433 "Anonymity Disallowed",
    436 "Bad Identity Info",
    437 "Unsupported Credential",
    438 "Invalid Identity Header",
    439 "First Hop Lacks Outbound Support",
    440 "Max-Breadth Exceeded",
    469 "Bad Info Package",
    470 "Consent Needed",
    480 "Temporarily Unavailable",
    481 "Call/Transaction Does Not Exist",
    482 "Loop Detected",
    483 "Too Many Hops",
    484 "Address Incomplete",
    485 "Ambiguous",
    486 "Busy Here",
    487 "Request Terminated",
    488 "Not Acceptable Here",
    489 "Bad Event",
    491 "Request Pending",
    493 "Undecipherable",
    494 "Security Agreement Required",
    500 "Server Internal Error",
    501 "Not Implemented",
    502 "Bad Gateway",
    503 "Service Unavailable",
    504 "Server Time-out",
    505 "Version Not Supported",
    513 "Message Too Large",
    555 "Push Notification Service Not Supported",
    580 "Precondition Failure",
    600 "Busy Everywhere",
    603 "Decline",
    604 "Does Not Exist Anywhere",
    606 "Not Acceptable",
    607 "Unwanted",
    608 "Rejected",
}

/// The codes of RFC 3261 21 and of the extensions; each constant is named after its phrase.
impl StatusCode {
    /// 100 Trying.
    pub const TRYING: Self = Self(100);
    /// 180 Ringing.
    pub const RINGING: Self = Self(180);
    /// 181 Call Is Being Forwarded.
    pub const CALL_IS_BEING_FORWARDED: Self = Self(181);
    /// 182 Queued.
    pub const QUEUED: Self = Self(182);
    /// 183 Session Progress.
    pub const SESSION_PROGRESS: Self = Self(183);
    /// 199 Early Dialog Terminated (6228).
    pub const EARLY_DIALOG_TERMINATED: Self = Self(199);
    /// 200 OK.
    pub const OK: Self = Self(200);
    /// 202 Accepted (6665).
    pub const ACCEPTED: Self = Self(202);
    /// 204 No Notification (5839).
    pub const NO_NOTIFICATION: Self = Self(204);
    /// 300 Multiple Choices.
    pub const MULTIPLE_CHOICES: Self = Self(300);
    /// 301 Moved Permanently.
    pub const MOVED_PERMANENTLY: Self = Self(301);
    /// 302 Moved Temporarily.
    pub const MOVED_TEMPORARILY: Self = Self(302);
    /// 305 Use Proxy.
    pub const USE_PROXY: Self = Self(305);
    /// 380 Alternative Service.
    pub const ALTERNATIVE_SERVICE: Self = Self(380);
    /// 400 Bad Request.
    pub const BAD_REQUEST: Self = Self(400);
    /// 401 Unauthorized.
    pub const UNAUTHORIZED: Self = Self(401);
    /// 402 Payment Required.
    pub const PAYMENT_REQUIRED: Self = Self(402);
    /// 403 Forbidden.
    pub const FORBIDDEN: Self = Self(403);
    /// 404 Not Found.
    pub const NOT_FOUND: Self = Self(404);
    /// 405 Method Not Allowed.
    pub const METHOD_NOT_ALLOWED: Self = Self(405);
    /// 406 Not Acceptable.
    pub const NOT_ACCEPTABLE: Self = Self(406);
    /// 407 Proxy Authentication Required.
    pub const PROXY_AUTHENTICATION_REQUIRED: Self = Self(407);
    /// 408 Request Timeout.
    pub const REQUEST_TIMEOUT: Self = Self(408);
    /// 410 Gone.
    pub const GONE: Self = Self(410);
    /// 412 Conditional Request Failed (3903).
    pub const CONDITIONAL_REQUEST_FAILED: Self = Self(412);
    /// 413 Request Entity Too Large.
    pub const REQUEST_ENTITY_TOO_LARGE: Self = Self(413);
    /// 414 Request-URI Too Long.
    pub const REQUEST_URI_TOO_LONG: Self = Self(414);
    /// 415 Unsupported Media Type.
    pub const UNSUPPORTED_MEDIA_TYPE: Self = Self(415);
    /// 416 Unsupported URI Scheme.
    pub const UNSUPPORTED_URI_SCHEME: Self = Self(416);
    /// 417 Unknown Resource-Priority (4412).
    pub const UNKNOWN_RESOURCE_PRIORITY: Self = Self(417);
    /// 420 Bad Extension.
    pub const BAD_EXTENSION: Self = Self(420);
    /// 421 Extension Required.
    pub const EXTENSION_REQUIRED: Self = Self(421);
    /// 422 Session Interval Too Small (4028).
    pub const SESSION_INTERVAL_TOO_SMALL: Self = Self(422);
    /// 423 Interval Too Brief.
    pub const INTERVAL_TOO_BRIEF: Self = Self(423);
    /// 424 Bad Location Information (6442).
    pub const BAD_LOCATION_INFORMATION: Self = Self(424);
    /// 425 Bad Alert Message (8876).
    pub const BAD_ALERT_MESSAGE: Self = Self(425);
    /// 428 Use Identity Header (8224).
    pub const USE_IDENTITY_HEADER: Self = Self(428);
    /// 429 Provide Referrer Identity (3892).
    pub const PROVIDE_REFERRER_IDENTITY: Self = Self(429);
    /// 430 Flow Failed (5626).
    pub const FLOW_FAILED: Self = Self(430);
    /// 433 Anonymity Disallowed (5079).
    pub const ANONYMITY_DISALLOWED: Self = Self(433);
    /// 436 Bad Identity Info (8224).
    pub const BAD_IDENTITY_INFO: Self = Self(436);
    /// 437 Unsupported Credential (8224).
    pub const UNSUPPORTED_CREDENTIAL: Self = Self(437);
    /// 438 Invalid Identity Header (8224).
    pub const INVALID_IDENTITY_HEADER: Self = Self(438);
    /// 439 First Hop Lacks Outbound Support (5626).
    pub const FIRST_HOP_LACKS_OUTBOUND_SUPPORT: Self = Self(439);
    /// 440 Max-Breadth Exceeded (5393).
    pub const MAX_BREADTH_EXCEEDED: Self = Self(440);
    /// 469 Bad Info Package (6086).
    pub const BAD_INFO_PACKAGE: Self = Self(469);
    /// 470 Consent Needed (5360).
    pub const CONSENT_NEEDED: Self = Self(470);
    /// 480 Temporarily Unavailable.
    pub const TEMPORARILY_UNAVAILABLE: Self = Self(480);
    /// 481 Call/Transaction Does Not Exist.
    pub const CALL_OR_TRANSACTION_DOES_NOT_EXIST: Self = Self(481);
    /// 482 Loop Detected.
    pub const LOOP_DETECTED: Self = Self(482);
    /// 483 Too Many Hops.
    pub const TOO_MANY_HOPS: Self = Self(483);
    /// 484 Address Incomplete.
    pub const ADDRESS_INCOMPLETE: Self = Self(484);
    /// 485 Ambiguous.
    pub const AMBIGUOUS: Self = Self(485);
    /// 486 Busy Here.
    pub const BUSY_HERE: Self = Self(486);
    /// 487 Request Terminated.
    pub const REQUEST_TERMINATED: Self = Self(487);
    /// 488 Not Acceptable Here.
    pub const NOT_ACCEPTABLE_HERE: Self = Self(488);
    /// 489 Bad Event (6665).
    pub const BAD_EVENT: Self = Self(489);
    /// 491 Request Pending.
    pub const REQUEST_PENDING: Self = Self(491);
    /// 493 Undecipherable.
    pub const UNDECIPHERABLE: Self = Self(493);
    /// 494 Security Agreement Required (3329).
    pub const SECURITY_AGREEMENT_REQUIRED: Self = Self(494);
    /// 500 Server Internal Error.
    pub const SERVER_INTERNAL_ERROR: Self = Self(500);
    /// 501 Not Implemented.
    pub const NOT_IMPLEMENTED: Self = Self(501);
    /// 502 Bad Gateway.
    pub const BAD_GATEWAY: Self = Self(502);
    /// 503 Service Unavailable.
    pub const SERVICE_UNAVAILABLE: Self = Self(503);
    /// 504 Server Time-out.
    pub const SERVER_TIMEOUT: Self = Self(504);
    /// 505 Version Not Supported.
    pub const VERSION_NOT_SUPPORTED: Self = Self(505);
    /// 513 Message Too Large.
    pub const MESSAGE_TOO_LARGE: Self = Self(513);
    /// 555 Push Notification Service Not Supported (8599).
    pub const PUSH_NOTIFICATION_SERVICE_NOT_SUPPORTED: Self = Self(555);
    /// 580 Precondition Failure (3312).
    pub const PRECONDITION_FAILURE: Self = Self(580);
    /// 600 Busy Everywhere.
    pub const BUSY_EVERYWHERE: Self = Self(600);
    /// 603 Decline.
    pub const DECLINE: Self = Self(603);
    /// 604 Does Not Exist Anywhere.
    pub const DOES_NOT_EXIST_ANYWHERE: Self = Self(604);
    /// 606 Not Acceptable.
    pub const NOT_ACCEPTABLE_ANYWHERE: Self = Self(606);
    /// 607 Unwanted (8197).
    pub const UNWANTED: Self = Self(607);
    /// 608 Rejected (8688).
    pub const REJECTED: Self = Self(608);
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn codes_outside_the_six_classes_are_refused() {
        // 3261-7.2-04
        for code in [0, 5, 99, 700, 999, u16::MAX] {
            assert_eq!(StatusCode::new(code), None);
        }
    }

    #[test]
    fn every_registered_code_has_its_phrase_and_another_that_of_its_class() {
        const PHRASES: &str = "100 Trying, 180 Ringing, 181 Call Is Being Forwarded, 182 Queued, \
            183 Session Progress, 199 Early Dialog Terminated, 200 OK, 202 Accepted, \
            204 No Notification, 300 Multiple Choices, 301 Moved Permanently, \
            302 Moved Temporarily, 305 Use Proxy, 380 Alternative Service, 400 Bad Request, \
            401 Unauthorized, 402 Payment Required, 403 Forbidden, 404 Not Found, \
            405 Method Not Allowed, 406 Not Acceptable, 407 Proxy Authentication Required, \
            408 Request Timeout, 410 Gone, 412 Conditional Request Failed, \
            413 Request Entity Too Large, 414 Request-URI Too Long, 415 Unsupported Media Type, \
            416 Unsupported URI Scheme, 417 Unknown Resource-Priority, 420 Bad Extension, \
            421 Extension Required, 422 Session Interval Too Small, 423 Interval Too Brief, \
            424 Bad Location Information, 425 Bad Alert Message, 428 Use Identity Header, \
            429 Provide Referrer Identity, 430 Flow Failed, 433 Anonymity Disallowed, \
            436 Bad Identity Info, 437 Unsupported Credential, 438 Invalid Identity Header, \
            439 First Hop Lacks Outbound Support, 440 Max-Breadth Exceeded, \
            469 Bad Info Package, 470 Consent Needed, 480 Temporarily Unavailable, \
            481 Call/Transaction Does Not Exist, 482 Loop Detected, 483 Too Many Hops, \
            484 Address Incomplete, 485 Ambiguous, 486 Busy Here, 487 Request Terminated, \
            488 Not Acceptable Here, 489 Bad Event, 491 Request Pending, 493 Undecipherable, \
            494 Security Agreement Required, 500 Server Internal Error, 501 Not Implemented, \
            502 Bad Gateway, 503 Service Unavailable, 504 Server Time-out, \
            505 Version Not Supported, 513 Message Too Large, \
            555 Push Notification Service Not Supported, 580 Precondition Failure, \
            600 Busy Everywhere, 603 Decline, 604 Does Not Exist Anywhere, 606 Not Acceptable, \
            607 Unwanted, 608 Rejected";
        const CLASSES: [&str; 6] = [
            "Provisional",
            "Success",
            "Redirection",
            "Client Error",
            "Server Error",
            "Global Failure",
        ];
        let mut registered = PHRASES.split(", ").peekable();
        for code in 100..700 {
            let status = StatusCode::new(code).unwrap();
            let listed = registered.next_if(|one| one.starts_with(&code.to_string()));
            let phrase = listed.and_then(|one| one.split_once(' '));
            let class = CLASSES[usize::from(code / 100 - 1)];
            assert_eq!(status.reason(), phrase.map_or(class, |phrase| phrase.1));
        }
        assert_eq!(registered.next(), None);
    }

    #[test]
    fn unknown_codes_keep_their_class() {
        // 3261-7.2-05, 3261-25.1-28
        for (code, class) in [
            (100, 1),
            (199, 1),
            (299, 2),
            (399, 3),
            (499, 4),
            (599, 5),
            (699, 6),
        ] {
            let status = StatusCode::new(code).unwrap();
            assert_eq!(status.class(), class);
            assert_eq!(status.is_provisional(), class == 1);
            assert_eq!(status.is_final(), class != 1);
            assert_eq!(status.is_success(), class == 2);
        }
    }

    #[test]
    fn a_code_is_exactly_three_digits() {
        // 3261-7.2-03
        assert_eq!(StatusCode::parse(b"200"), Some(StatusCode::OK));
        for text in [
            &b"20"[..],
            b"0200",
            b"2O0",
            b"4294967301",
            b"",
            b"-20",
            b"+20",
        ] {
            assert_eq!(StatusCode::parse(text), None);
        }
    }

    #[test]
    fn the_phrase_of_a_code_is_that_of_the_rfc() {
        assert_eq!(StatusCode::RINGING.reason(), "Ringing");
        assert_eq!(
            StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST.reason(),
            "Call/Transaction Does Not Exist"
        );
        assert_eq!(StatusCode::new(499).unwrap().reason(), "Client Error");
        assert_eq!(StatusCode::new(699).unwrap().reason(), "Global Failure");
    }
}
