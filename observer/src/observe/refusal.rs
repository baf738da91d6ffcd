//! What the API server answers, told apart: a refusal of the object, or a failure that passes.

/// Answers that pass by themselves, whatever else they say: the server or a webhook does not answer, somebody
/// else was faster, a quota was made a moment ago and is not counted yet, or the Namespace that somebody deleted is
/// not gone yet and cannot be made again before.
const PASSING: [&str; 13] = [
    "connection refused",
    "connection reset",
    "context deadline exceeded",
    "timeout",
    "timed out",
    "EOF",
    "etcdserver",
    "currently unable to handle the request",
    "too many requests",
    "failed calling webhook",
    "the object has been modified",
    "status unknown for quota",
    "because it is being terminated",
];

/// Words of an answer of kind Invalid, Forbidden or BadRequest (Kubernetes, `apimachinery/pkg/api/errors`) and of
/// the API server's own checks of server-side apply.
const REFUSING: [&str; 11] = [
    "is invalid",
    "is forbidden",
    "forbidden:",
    "denied",
    "violates PodSecurity",
    "exceeded quota",
    "field is immutable",
    "unknown field",
    "strict decoding error",
    "cannot be handled as a",
    "failed to create typed patch object",
];

/// True if the message says that the object itself is refused: trying again changes nothing.
#[must_use]
pub fn is_refusal(message: &str) -> bool {
    !PASSING.iter().any(|passing| message.contains(passing))
        && REFUSING.iter().any(|refusing| message.contains(refusing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_answer_refuses_nothing() {
        for refused in [
            "StatefulSet.apps \"w\" is invalid: spec.template: Invalid value",
            "admission webhook \"x\" denied the request: no",
            "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            "persistentvolumeclaims \"w\" is forbidden: exceeded quota: workspace-quota",
        ] {
            assert!(is_refusal(refused), "{refused}");
        }
        for passing in [
            "Post \"https://[::1]:6443/api\": dial tcp [::1]:6443: connect: connection refused",
            "Internal error occurred: failed calling webhook \"x\": denied",
            "persistentvolumeclaims \"w\" is forbidden: status unknown for quota: workspace-quota",
            "namespaces \"user-x\" not found",
            "services \"w\" is forbidden: unable to create new content in namespace user-x because it is being terminated",
            "",
        ] {
            assert!(!is_refusal(passing), "{passing}");
        }
    }
}
