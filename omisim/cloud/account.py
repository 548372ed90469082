"""`Account`: an account of a cloud, with its credentials and a typed method for each action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import wraps
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, Literal, ParamSpec, Self, TypeVar, overload

from omisim import actions
from omisim.actions.framework.call import Call
from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.actions.framework.request import PYTHON, Request, copy_arguments
from omisim.base.suggest import suggest
from omisim.doors import oapi
from omisim.engine.calls import run_call, why_not
from omisim.engine.engine import Engine
from omisim.model import AccessKey, AccountRow
from omisim.model.serialize import api_name
from omisim.spec.errors import ApiError
from omisim.state.image_origins import add_origin

if TYPE_CHECKING:
    from osc_sdk_python import Gateway

    from omisim.clients.environment import Environment
    from omisim.cloud.cloud import Cloud

__all__ = ["Account", "Typed"]

P = ParamSpec("P")
R = TypeVar("R")
NAMES: Mapping[Callable[..., Any], str] = {action.function: action.name for action in ACTIONS.values()}


class Typed(Generic[P, R]):
    """A descriptor that turns the function of an action into a method of `Account`.

    The method has the parameters of the function without its Call, by name only, and the same result.
    """

    def __init__(self, function: Callable[Concatenate[Call, P], R]) -> None:
        action = NAMES[function]
        shows_images = ACTIONS[action].answer in ("Image", "Images")

        @wraps(function)
        def method(account: Account, *args: P.args, **kwargs: P.kwargs) -> R:
            if args:
                raise TypeError(f"{function.__name__}() takes keyword arguments only")
            request = Request(action, copy_arguments(kwargs), PYTHON)
            engine, account_id, region = account.caller
            value: R = run_call(engine, request, account_id, region).value
            if not shows_images:
                return value
            with engine.lock:
                return add_origin(engine.state, value, account_id)

        self.action: str = action
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self._method = method

    @overload
    def __get__(self, account: None, owner: type[Account]) -> Self: ...
    @overload
    def __get__(self, account: Account, owner: type[Account]) -> Callable[P, R]: ...
    def __get__(self, account: Account | None, owner: type[Account]) -> Self | Callable[P, R]:
        """Return the action as a method of the account."""
        return self if account is None else MethodType(self._method, account)


class Account:
    """One account of a cloud, returned by `Cloud.account(name)`.

    Each action that omisim serves is a typed method: `create_image(vm_id=..., image_name=...)` calls CreateImage.
    Arguments have the API's names in snake_case. Nested arguments and `filters` take dicts with snake_case keys, or the
    dataclasses of `omisim.model`. Creates and updates return the entity (`create_vms` a tuple), reads a tuple of all
    matching entities, deletes None. A refusal raises ApiError.

    Attributes:
        cloud: The cloud of the account.
        name: The name of the account in the cloud.
        account_id: The id, 12 digits.
        region: The Region; an OUTSCALE account exists in one Region.
        access_key: The id of the first access key, or "" if the account has none.
        secret_key: The secret key of that access key, or "".
        password: The password of the login.
    """

    read_regions: Final = Typed(actions.catalogue.read_regions)
    read_subregions: Final = Typed(actions.catalogue.read_subregions)
    read_vm_types: Final = Typed(actions.catalogue.read_vm_types)
    read_flexible_gpu_catalog: Final = Typed(actions.catalogue.read_flexible_gpu_catalog)
    read_locations: Final = Typed(actions.catalogue.read_locations)
    read_public_ip_ranges: Final = Typed(actions.catalogue.read_public_ip_ranges)
    read_net_access_point_services: Final = Typed(actions.catalogue.read_net_access_point_services)
    read_catalog: Final = Typed(actions.price_lists.read_catalog)
    read_public_catalog: Final = Typed(actions.price_lists.read_public_catalog)
    read_catalogs: Final = Typed(actions.price_lists.read_catalogs)
    read_unit_price: Final = Typed(actions.price_lists.read_unit_price)
    read_api_logs: Final = Typed(actions.api_logs.read_api_logs)
    create_product_type: Final = Typed(actions.product_types.create_product_type)
    read_product_types: Final = Typed(actions.product_types.read_product_types)
    delete_product_type: Final = Typed(actions.product_types.delete_product_type)
    create_account: Final = Typed(actions.accounts.create_account)
    read_accounts: Final = Typed(actions.accounts.read_accounts)
    update_account: Final = Typed(actions.accounts.update_account)
    read_quotas: Final = Typed(actions.quotas.read_quotas)
    create_access_key: Final = Typed(actions.access_keys.create_access_key)
    read_access_keys: Final = Typed(actions.access_keys.read_access_keys)
    update_access_key: Final = Typed(actions.access_keys.update_access_key)
    delete_access_key: Final = Typed(actions.access_keys.delete_access_key)
    check_authentication: Final = Typed(actions.accounts.check_authentication)
    create_image: Final = Typed(actions.images.create_image)
    read_images: Final = Typed(actions.image_access.read_images)
    update_image: Final = Typed(actions.image_access.update_image)
    delete_image: Final = Typed(actions.image_access.delete_image)
    create_image_export_task: Final = Typed(actions.exports.create_image_export_task)
    read_image_export_tasks: Final = Typed(actions.exports.read_image_export_tasks)
    create_snapshot_export_task: Final = Typed(actions.exports.create_snapshot_export_task)
    read_snapshot_export_tasks: Final = Typed(actions.exports.read_snapshot_export_tasks)
    delete_export_task: Final = Typed(actions.exports.delete_export_task)
    create_snapshot: Final = Typed(actions.snapshots.create_snapshot)
    read_snapshots: Final = Typed(actions.snapshots.read_snapshots)
    update_snapshot: Final = Typed(actions.snapshots.update_snapshot)
    delete_snapshot: Final = Typed(actions.snapshots.delete_snapshot)
    create_volume: Final = Typed(actions.volumes.create_volume)
    read_volumes: Final = Typed(actions.volumes.read_volumes)
    update_volume: Final = Typed(actions.volumes.update_volume)
    read_volume_update_tasks: Final = Typed(actions.volumes.read_volume_update_tasks)
    delete_volume: Final = Typed(actions.volumes.delete_volume)
    link_volume: Final = Typed(actions.volumes.link_volume)
    unlink_volume: Final = Typed(actions.volumes.unlink_volume)
    create_vms: Final = Typed(actions.vms.create_vms)
    read_vms: Final = Typed(actions.vm_life.read_vms)
    read_vms_state: Final = Typed(actions.vm_life.read_vms_state)
    start_vms: Final = Typed(actions.vm_life.start_vms)
    stop_vms: Final = Typed(actions.vm_life.stop_vms)
    reboot_vms: Final = Typed(actions.vm_life.reboot_vms)
    update_vm: Final = Typed(actions.vm_life.update_vm)
    delete_vms: Final = Typed(actions.vm_life.delete_vms)
    read_vms_stop_history: Final = Typed(actions.vm_diagnostics.read_vms_stop_history)
    read_console_output: Final = Typed(actions.vm_diagnostics.read_console_output)
    read_admin_password: Final = Typed(actions.vm_diagnostics.read_admin_password)
    create_keypair: Final = Typed(actions.keypairs.create_keypair)
    read_keypairs: Final = Typed(actions.keypairs.read_keypairs)
    delete_keypair: Final = Typed(actions.keypairs.delete_keypair)
    create_security_group: Final = Typed(actions.security_groups.create_security_group)
    read_security_groups: Final = Typed(actions.security_groups.read_security_groups)
    delete_security_group: Final = Typed(actions.security_groups.delete_security_group)
    create_security_group_rule: Final = Typed(actions.security_group_rules.create_security_group_rule)
    delete_security_group_rule: Final = Typed(actions.security_group_rules.delete_security_group_rule)
    create_net: Final = Typed(actions.nets.create_net)
    read_nets: Final = Typed(actions.nets.read_nets)
    update_net: Final = Typed(actions.nets.update_net)
    delete_net: Final = Typed(actions.nets.delete_net)
    create_subnet: Final = Typed(actions.subnets.create_subnet)
    read_subnets: Final = Typed(actions.subnets.read_subnets)
    update_subnet: Final = Typed(actions.subnets.update_subnet)
    delete_subnet: Final = Typed(actions.subnets.delete_subnet)
    create_nic: Final = Typed(actions.nics.create_nic)
    read_nics: Final = Typed(actions.nics.read_nics)
    update_nic: Final = Typed(actions.nics.update_nic)
    delete_nic: Final = Typed(actions.nics.delete_nic)
    link_nic: Final = Typed(actions.nic_links.link_nic)
    unlink_nic: Final = Typed(actions.nic_links.unlink_nic)
    link_private_ips: Final = Typed(actions.nic_links.link_private_ips)
    unlink_private_ips: Final = Typed(actions.nic_links.unlink_private_ips)
    create_public_ip: Final = Typed(actions.public_ips.create_public_ip)
    read_public_ips: Final = Typed(actions.public_ips.read_public_ips)
    link_public_ip: Final = Typed(actions.public_ips.link_public_ip)
    unlink_public_ip: Final = Typed(actions.public_ips.unlink_public_ip)
    delete_public_ip: Final = Typed(actions.public_ips.delete_public_ip)
    create_internet_service: Final = Typed(actions.internet_services.create_internet_service)
    read_internet_services: Final = Typed(actions.internet_services.read_internet_services)
    link_internet_service: Final = Typed(actions.internet_services.link_internet_service)
    unlink_internet_service: Final = Typed(actions.internet_services.unlink_internet_service)
    delete_internet_service: Final = Typed(actions.internet_services.delete_internet_service)
    create_route_table: Final = Typed(actions.route_tables.create_route_table)
    read_route_tables: Final = Typed(actions.route_tables.read_route_tables)
    link_route_table: Final = Typed(actions.route_tables.link_route_table)
    unlink_route_table: Final = Typed(actions.route_tables.unlink_route_table)
    update_route_table_link: Final = Typed(actions.route_tables.update_route_table_link)
    delete_route_table: Final = Typed(actions.route_tables.delete_route_table)
    create_route: Final = Typed(actions.routes.create_route)
    update_route: Final = Typed(actions.routes.update_route)
    delete_route: Final = Typed(actions.routes.delete_route)
    create_tags: Final = Typed(actions.tags.create_tags)
    read_tags: Final = Typed(actions.tags.read_tags)
    delete_tags: Final = Typed(actions.tags.delete_tags)

    def __init__(self, cloud: Cloud, row: AccountRow, key: AccessKey | None) -> None:
        self.cloud = cloud
        self.name: str = row.name
        self.account_id: str = row.account_id
        self.region: str = row.region
        self.access_key: str = key.access_key_id if key else ""  # every key may have been deleted
        self.secret_key: str = key.secret_key if key else ""
        self.password: str = row.password
        # what each typed call needs, in one attribute: attributes are slow in a class with __getattr__
        self.caller: tuple[Engine, str, str] = cloud.engine, row.account_id, row.region

    @property
    def email(self) -> str:
        """The e-mail address, which is also the login. UpdateAccount can change it."""
        with self.cloud.engine.lock:
            row: AccountRow = self.cloud.engine.state.get("account", self.account_id)
        return row.email

    def __repr__(self) -> str:
        """Show the name, the id and the Region."""
        return f"<account {self.name} {self.account_id} in {self.region}>"

    if not TYPE_CHECKING:  # type checkers report unknown methods themselves

        def __getattr__(self, name: str) -> Any:
            """Raise AttributeError with the reason why an action is not served, or with a suggestion."""
            if (reason := not_served().get(api_name(name))) is not None:
                raise AttributeError(f"{api_name(name)} is not served by omisim: {reason}")
            of_cloud = name in dir(self.__dict__.get("cloud"))
            suggestion = f"; its cloud has: account.cloud.{name}" if of_cloud else suggest(name, dir(self))
            raise AttributeError(f"Account has no attribute {name!r}{suggestion}")

    def call(self, action: str, /, **parameters: Any) -> dict[str, Any]:
        """Call an action as the root user of the account.

        `action` and `parameters` have the API's names: `call("CreateImage", VmId="i-...", ImageName="golden")`. Returns
        the JSON body of the API's answer as a dict, with its `ResponseContext`. Raises ApiError if the call is refused.
        """
        return oapi.call(self.cloud.engine, action, parameters, self.account_id, self.region)

    def why_not(self, action: str, /, **parameters: Any) -> list[ApiError]:
        """Return every refusal that `call` would meet now, in check order; [] if the call would succeed.

        The first is the error that `call` would raise. Nothing changes, the call log included. Faults are ignored.
        """
        return why_not(self.cloud.engine, oapi.make_request(action, parameters), self.account_id, self.region)

    def can(self, action: str, /, **parameters: Any) -> bool:
        """Whether `call` would succeed now: `why_not` returns no refusal."""
        return not self.why_not(action, **parameters)

    def gateway(self, *, limiter: bool = False) -> Gateway:
        """Return a real `osc_sdk_python.Gateway` that signs in as this account and sends its requests to this cloud.

        `limiter=True` keeps the SDK's rate limiter (5 calls per second). Raises ImportError without the extra
        `omisim[osc]`.
        """
        from omisim.clients.gateway import make_gateway  # noqa: PLC0415 - imported on first use; needs osc-sdk-python

        return make_gateway(self.cloud.engine, self, limiter=limiter)

    def environment(self, *, limiter: bool = False, server: bool = False) -> AbstractContextManager[Environment]:
        """Set up this process so that clients created by the code under test use this account: a context manager.

        Inside, environment variables (`OSC_*`, `AWS_*`) and `~/.osc/config.json` hold the account's credentials, the
        machine's own configuration is hidden, and requests reach the cloud as with `Cloud.intercept`. `limiter=True`
        keeps the SDK's rate limiter. `server=True` serves the cloud over HTTP for child processes (needs the extra
        `omisim[server]`); without it, their requests are refused. Contexts may end in any order. The context
        yields an `Environment` with the `variables`, the `home` directory and the `strays`: requests to OUTSCALE
        services that omisim does not serve.
        """
        from omisim.clients.environment import enter_environment  # noqa: PLC0415 - imported on first use

        return enter_environment(self.cloud, self, limiter=limiter, server=server)

    def client(self, service: Literal["fcu", "ec2", "oos", "s3"]) -> Any:
        """Return a real boto3 client that signs in as this account and sends its requests to this cloud.

        `service` is "fcu" (or "ec2"): an EC2 client for the FCU API, or "oos" (or "s3"): an S3 client for the object
        storage of the account's Region. Raises ValueError for another service, and ImportError without the extra
        `omisim[fcu]` or `omisim[oos]`.
        """
        name = {"ec2": "fcu", "s3": "oos"}.get(service, service)
        if name not in ("fcu", "oos"):
            raise ValueError(f"service must be 'fcu' (or 'ec2') or 'oos' (or 's3'), not {service!r}")
        try:
            from omisim.clients.boto import make_client  # noqa: PLC0415 - imported on first use; needs boto3

            return make_client(self.cloud.engine, self, name)
        except ImportError as error:
            needed = "boto3" if name == "fcu" else "boto3 and moto"
            raise ImportError(f"account.client({service!r}) needs {needed}: pip install 'omisim[{name}]'") from error
