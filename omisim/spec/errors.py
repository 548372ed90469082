"""The one table of API errors, and the exception that carries them.

Every refusal of omisim is an `ApiError`: one row of `ERRORS` (what the API answers) joined to one rule (why).
A rule names its error by the `name` column; codes, types and HTTP statuses stand nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omisim.spec.rules import Rule

__all__ = ["ERRORS", "ApiError", "ErrorKind"]


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One error of the API: its name here, and what a client sees.

    `fcu` is the code of the same error on the EC2-compatible FCU door, where it is known.
    """

    name: str
    code: str
    type: str
    status: int
    fcu: str | None = None


_TABLE = (
    ErrorKind("default-error", "0", "DefaultError", 400),
    ErrorKind("authentication-failed", "1", "AccessDenied", 401),
    ErrorKind("not-authorized", "5", "AccessDenied", 401, "AuthFailure"),
    ErrorKind("platform-throttled", "6", "RequestLimitExceeded", 503),
    ErrorKind("wrong-authentication-method", "8", "WrongAuthenticationMethod", 403),
    ErrorKind("basic-not-accepted", "9", "AuthFailure", 401),
    ErrorKind("missing-login-password", "10", "MissingLoginPassword", 403),
    ErrorKind("locked", "11", "AccessDenied", 401),
    ErrorKind("locked-for-a-while", "13", "AccessDenied", 401),
    ErrorKind("access-rule", "14", "AccessDenied", 401),
    ErrorKind("date-out-of-window", "15", "AccessDenied", 401),
    ErrorKind("password-expired", "20", "AccessDenied", 401),
    ErrorKind("account-throttled", "24", "RequestLimitExceeded", 429),
    ErrorKind("call-throttled", "25", "RequestLimitExceeded", 429),
    ErrorKind("internal-error", "2000", "InternalError", 500),
    ErrorKind("unknown-parameter", "3001", "InvalidParameter", 400, "UnknownParameter"),
    ErrorKind("invalid-combination", "3002", "InvalidParameter", 400),
    ErrorKind("invalid-content-type", "3010", "InvalidParameter", 400),
    ErrorKind("architecture-mismatch", "4001", "InvalidParameterValue", 400),
    ErrorKind("bucket-not-found", "4002", "InvalidParameterValue", 400),
    ErrorKind("device-name-not-associated", "4003", "InvalidParameterValue", 400),
    ErrorKind("instance-invalid-tenancy", "4007", "InvalidParameterValue", 400),
    ErrorKind("invalid-bdm", "4011", "InvalidParameterValue", 400, "InvalidBlockDeviceMapping"),
    ErrorKind("invalid-block", "4013", "InvalidParameterValue", 400),
    ErrorKind("invalid-block-size", "4014", "InvalidParameterValue", 400),
    ErrorKind("invalid-configuration", "4017", "InvalidParameterValue", 400),
    ErrorKind("invalid-count", "4018", "InvalidParameterValue", 400),
    ErrorKind("invalid-device-name", "4019", "InvalidParameterValue", 400),
    ErrorKind("invalid-email-address", "4020", "InvalidParameterValue", 400),
    ErrorKind("invalid-field-value", "4022", "InvalidParameterValue", 400),
    ErrorKind("invalid-filter", "4023", "InvalidParameterValue", 400),
    ErrorKind("invalid-id", "4025", "InvalidParameterValue", 400),
    ErrorKind("invalid-image-name", "4026", "InvalidParameterValue", 400, "InvalidAMIName.Malformed"),
    ErrorKind("invalid-instance-port", "4028", "InvalidParameterValue", 400),
    ErrorKind("invalid-iops", "4029", "InvalidParameterValue", 400),
    ErrorKind("invalid-ip-address", "4030", "InvalidParameterValue", 400),
    ErrorKind("invalid-key", "4032", "InvalidParameterValue", 400),
    ErrorKind("invalid-keypair-name", "4035", "InvalidParameterValue", 400),
    ErrorKind("invalid-manifest", "4040", "InvalidParameterValue", 400),
    ErrorKind("invalid-manifest-format", "4041", "InvalidParameterValue", 400),
    ErrorKind("invalid-name", "4043", "InvalidParameterValue", 400),
    ErrorKind("invalid-parameter", "4045", "InvalidParameterValue", 400),
    ErrorKind("invalid-parameter-value", "4047", "InvalidParameterValue", 400),
    ErrorKind("invalid-password", "4048", "InvalidParameterValue", 400),
    ErrorKind("invalid-permission-format", "4050", "InvalidParameterValue", 400),
    ErrorKind("invalid-port-specification", "4051", "InvalidParameterValue", 400),
    ErrorKind("invalid-protocol", "4053", "InvalidParameterValue", 400),
    ErrorKind("invalid-root-mapping", "4057", "InvalidParameterValue", 400),
    ErrorKind("invalid-snapshot-id", "4061", "InvalidParameterValue", 400),
    ErrorKind("invalid-tag-key", "4069", "InvalidParameterValue", 400),
    ErrorKind("invalid-tag-value", "4070", "InvalidParameterValue", 400),
    ErrorKind("invalid-tag-value-length", "4071", "InvalidParameterValue", 400),
    ErrorKind("invalid-url", "4074", "InvalidParameterValue", 400, "InvalidURL"),
    ErrorKind("invalid-url-format", "4075", "InvalidParameterValue", 400, "InvalidURLFormat"),
    ErrorKind("invalid-virtual-name", "4076", "InvalidParameterValue", 400),
    ErrorKind("invalid-volume-device-name-association", "4077", "InvalidParameterValue", 400),
    ErrorKind("invalid-volume-size", "4078", "InvalidParameterValue", 400),
    ErrorKind("invalid-zone", "4081", "InvalidParameterValue", 400),
    ErrorKind("network-mismatch", "4086", "InvalidParameterValue", 400),
    ErrorKind("not-windows-instance", "4087", "InvalidParameterValue", 400),
    ErrorKind("osu-connection-error", "4088", "InvalidParameterValue", 400),
    ErrorKind("token-mismatch", "4091", "InvalidParameterValue", 400),
    ErrorKind("unknown-export-version", "4094", "InvalidParameterValue", 400),
    ErrorKind("invalid-date-range", "4098", "InvalidParameterValue", 400),
    ErrorKind("invalid-id-prefix", "4104", "InvalidParameterValue", 400, "InvalidID.Malformed"),
    ErrorKind("malformed-id", "4105", "InvalidParameterValue", 400),
    ErrorKind("invalid-parameter-value-length", "4106", "InvalidParameterValue", 400),
    ErrorKind("invalid-parameter-type", "4108", "InvalidParameterValue", 400),
    ErrorKind("wrong-type", "4110", "InvalidParameterValue", 400),
    ErrorKind("invalid-page-size", "4113", "InvalidParameterValue", 400),
    ErrorKind("invalid-page-token", "4116", "InvalidParameterValue", 400),
    ErrorKind("empty-page-token", "4117", "InvalidParameterValue", 400),
    ErrorKind("client-token-reused", "4119", "InvalidParameterValue", 400),
    ErrorKind("bad-credentials", "4120", "InvalidParameterValue", 400),
    ErrorKind("no-such-access-key-to-update", "4122", "InvalidParameterValue", 400),
    ErrorKind("invalid-expiration-date", "4123", "InvalidParameterValue", 400),
    ErrorKind("smaller-than-snapshot", "4125", "InvalidParameterValue", 400),
    ErrorKind("gateway-does-not-exist", "5001", "InvalidResource", 400),
    ErrorKind("no-such-attachment", "5007", "InvalidResource", 400),
    ErrorKind("no-such-authorization", "5008", "InvalidResource", 400),
    ErrorKind("no-such-az", "5009", "InvalidResource", 400),
    ErrorKind("no-such-customer-gateway", "5015", "InvalidResource", 400),
    ErrorKind("no-such-dhcpoptions", "5018", "InvalidResource", 400),
    ErrorKind("no-such-group", "5020", "InvalidResource", 400),
    ErrorKind("no-such-group-in-public-cloud", "5021", "InvalidResource", 400),
    ErrorKind("no-such-group-in-vpc", "5022", "InvalidResource", 400),
    ErrorKind("no-such-image", "5023", "InvalidResource", 400, "InvalidAMIID.NotFound"),
    ErrorKind("no-such-instance-type", "5024", "InvalidResource", 400),
    ErrorKind("no-such-ip", "5025", "InvalidResource", 400),
    ErrorKind("no-such-ip-association", "5026", "InvalidResource", 400),
    ErrorKind("no-such-key", "5027", "InvalidResource", 400),
    ErrorKind("no-such-manifest", "5031", "InvalidResource", 400),
    ErrorKind("no-such-nat-gateway", "5032", "InvalidResource", 400),
    ErrorKind("no-such-networklink", "5035", "InvalidResource", 400),
    ErrorKind("no-such-nic", "5036", "InvalidResource", 400),
    ErrorKind("no-such-object", "5037", "InvalidResource", 400),
    ErrorKind("no-such-prefix-list", "5040", "InvalidResource", 400),
    ErrorKind("no-such-quota", "5042", "InvalidResource", 400),
    ErrorKind("no-such-region", "5043", "InvalidResource", 400),
    ErrorKind("no-such-resource", "5044", "InvalidResource", 400),
    ErrorKind("no-such-route", "5045", "InvalidResource", 400),
    ErrorKind("no-such-route-table", "5046", "InvalidResource", 400),
    ErrorKind("no-such-rtb-assoc", "5047", "InvalidResource", 400),
    ErrorKind("no-such-snapshot", "5054", "InvalidResource", 400, "InvalidSnapshot.NotFound"),
    ErrorKind("no-such-subnet", "5057", "InvalidResource", 400),
    ErrorKind("no-such-task", "5058", "InvalidResource", 400),
    ErrorKind("no-such-type", "5059", "InvalidResource", 400, "InvalidProductInfo"),
    ErrorKind("no-such-vm", "5063", "InvalidResource", 400, "InvalidInstanceID.NotFound"),
    ErrorKind("no-such-volume", "5064", "InvalidResource", 400, "InvalidVolume.NotFound"),
    ErrorKind("no-such-vpc", "5065", "InvalidResource", 400),
    ErrorKind("no-such-vpn-gateway", "5068", "InvalidResource", 400),
    ErrorKind("no-such-keypair", "5071", "InvalidResource", 400, "InvalidKeyPair.NotFound"),
    ErrorKind("no-such-user", "5075", "InvalidResource", 400),
    ErrorKind("no-such-access-key", "5076", "InvalidResource", 400),
    ErrorKind("no-such-public-ip", "5080", "InvalidResource", 400),
    ErrorKind("invalid-cg-state", "6000", "InvalidState", 409),
    ErrorKind("invalid-image-state", "6001", "InvalidState", 409, "InvalidAMIID.Unavailable"),
    ErrorKind("invalid-state", "6003", "InvalidState", 409, "IncorrectState"),
    ErrorKind("invalid-state-transition", "6004", "InvalidState", 409),
    ErrorKind("invalid-subnet-state", "6005", "InvalidState", 409),
    ErrorKind("invalid-vm-state", "6006", "InvalidState", 409),
    ErrorKind("invalid-volume-state", "6007", "InvalidState", 409),
    ErrorKind("missing-parameter", "7000", "MissingParameter", 400, "MissingParameter"),
    ErrorKind("missing-root-snapshot", "7003", "MissingParameter", 400),
    ErrorKind("root-device-in-use", "8003", "OperationNotSupported", 400),
    ErrorKind("not-supported", "8010", "OperationNotSupported", 400),
    ErrorKind("not-exportable", "8017", "OperationNotSupported", 400, "OperationNotPermitted"),
    ErrorKind("deletion-protected", "8018", "OperationNotSupported", 400, "OperationNotPermitted"),
    ErrorKind("other-region", "8019", "OperationNotSupported", 400, "NotImplemented"),
    ErrorKind("already-exist", "9000", "ResourceConflict", 409),
    ErrorKind("busy", "9002", "ResourceConflict", 409),
    ErrorKind("device-conflict", "9003", "ResourceConflict", 409),
    ErrorKind("device-in-use", "9004", "ResourceConflict", 409),
    ErrorKind("duplicate-email-address", "9007", "ResourceConflict", 409),
    ErrorKind("duplicate-id", "9009", "ResourceConflict", 409),
    ErrorKind("duplicate-key", "9011", "ResourceConflict", 409, "InvalidKeyPair.Duplicate"),
    ErrorKind("duplicate-mount-point", "9014", "ResourceConflict", 409),
    ErrorKind("duplicate-name", "9015", "ResourceConflict", 409, "InvalidAMIName.Duplicate"),
    ErrorKind("duplicate-product", "9018", "ResourceConflict", 409),
    ErrorKind("gateway-is-already-attached", "9025", "ResourceConflict", 409),
    ErrorKind("gateway-not-attached", "9027", "ResourceConflict", 409),
    ErrorKind("group-already-exists", "9028", "ResourceConflict", 409),
    ErrorKind("in-use", "9029", "ResourceConflict", 409, "DependencyViolation"),
    ErrorKind("never-started", "9039", "ResourceConflict", 409),
    ErrorKind("no-generated-password", "9041", "ResourceConflict", 409),
    ErrorKind("no-keypair-associated", "9042", "ResourceConflict", 409),
    ErrorKind("not-in-vpc-block", "9044", "ResourceConflict", 409),
    ErrorKind("reserved-block", "9050", "ResourceConflict", 409),
    ErrorKind("reserved-group", "9051", "ResourceConflict", 409),
    ErrorKind("route-already-exists", "9052", "ResourceConflict", 409),
    ErrorKind("subnet-already-in-use", "9057", "ResourceConflict", 409),
    ErrorKind("subnet-conflict", "9058", "ResourceConflict", 409),
    ErrorKind("subnet-is-associated", "9059", "ResourceConflict", 409),
    ErrorKind("tag-already-exist", "9060", "ResourceConflict", 409),
    ErrorKind("vm-not-in-vpc", "9062", "ResourceConflict", 409),
    ErrorKind("volume-not-in-use", "9063", "ResourceConflict", 409),
    ErrorKind("vpc-already-attached", "9065", "ResourceConflict", 409),
    ErrorKind("zone-mismatch", "9071", "ResourceConflict", 409),
    ErrorKind("vm-specs-mismatch", "9072", "ResourceConflict", 409),
    ErrorKind("security-group-in-use", "9085", "ResourceConflict", 409),
    ErrorKind("insufficient-capacity", "10001", "InsufficientCapacity", 400),
    ErrorKind("too-many-accesskeys", "10005", "TooManyResources (QuotaExceded)", 400),
    ErrorKind(
        "too-many-concurrent-snapshots",
        "10008",
        "TooManyResources (QuotaExceded)",
        400,
        "ConcurrentSnapshotLimitExceeded",
    ),
    ErrorKind("too-many-instances", "10010", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-ips", "10011", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-network-interfaces", "10015", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-sg-rules", "10017", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-volumes", "10018", "TooManyResources (QuotaExceded)", 400, "VolumeLimitExceeded"),
    ErrorKind("too-many-private-ips", "10021", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-vpcs", "10022", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-igws", "10023", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-much-volume-size", "10024", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-iops", "10025", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-snapshots", "10026", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-cores", "10029", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-gpu", "10030", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-nic-sgs", "10036", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-rtbs", "10037", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-sgs", "10038", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-static-routes", "10040", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-tags", "10041", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-much-memory", "10042", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("too-many-gpu-reservations", "10046", "TooManyResources (QuotaExceded)", 400),
    ErrorKind("no-such-action", "12000", "InvalidAction", 404, "InvalidAction"),
)

ERRORS: Mapping[str, ErrorKind] = {kind.name: kind for kind in _TABLE}


class ApiError(Exception):
    """A request was refused: what the API answers, and which rule was broken with which facts.

    Nothing has changed in the cloud when it is raised.

    Attributes: `code` (the API's error code, a string), `status` (HTTP status), `type`, `details`, `name` (the row of
    `ERRORS`), `rule` (the rule's id), `facts` (what of this call broke it).
    """

    def __init__(self, rule: Rule, facts: Mapping[str, Any], kind: ErrorKind | None = None) -> None:
        kind = kind or ERRORS[rule.error]
        self.name = kind.name
        self.code = kind.code
        self.type = kind.type
        self.status = kind.status
        self.rule = rule.id
        self.facts = dict(facts)
        self.details = rule.details_for(facts)
        self.request_id = ""  # of the call it refused
        self.near: tuple[str, ...] = ()  # ids like an unknown one, among what the caller may see
        self._row = rule
        self._kind = kind
        super().__init__(f"{self.status} {self.code} {self.type} ({self.rule}): {self.details}")

    def explain(self) -> str:
        """Say why, in lines: the rule, the facts of this call, the fix, the evidence and the documentation page."""
        text = self._row.explain(self.facts, self._kind)
        return f"{text}\n  Near it: {', '.join(self.near)}" if self.near else text

    def replaced(self, kind: ErrorKind) -> ApiError:
        """Return the same refusal answered with another error (the switch `{rule id: error name}`)."""
        return ApiError(self._row, self.facts, kind)

    def __reduce__(self) -> tuple[type[ApiError], tuple[Rule, dict[str, Any], ErrorKind]]:
        """Pickle as its parts, so that it crosses processes (pytest-xdist)."""
        return ApiError, (self._row, self.facts, self._kind)
