"""Product types: the built-in licences, and those that an account creates for its own OMIs."""

from __future__ import annotations

from itertools import chain

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.quotas import check_quotas
from omisim.model import Image, ProductType, TextOrEmpty
from omisim.model.filters import FiltersProductType
from omisim.model.filters.dicts import FiltersProductTypeDict
from omisim.spec.catalog import load_catalog


def is_code(call: Call, code: str, *, any_owner: bool = False) -> bool:
    """Whether a product code is built in, from the Marketplace, or the caller's (with `any_owner`: any account's)."""
    catalog = load_catalog()
    if code in catalog.product_types or code in catalog.marketplace_codes or call.state.get("product", code):
        return True
    row: ProductType | None = call.state.get("product_type", code)
    return row is not None and (any_owner or call.owns(row))


@action("CreateProductType", "ProductType")
def create_product_type(call: Call, *, description: TextOrEmpty, vendor: str | None = None) -> ProductType:
    """Create a product type of the caller, which its OMIs can carry as a product code (LIC-007). Returns it."""
    check_quotas(call, {"pty_limit": 1})
    product_type_id = call.new_id("product_type")
    me = call.account.account_id
    return call.add(ProductType(account_id=me, description=description, product_type_id=product_type_id, vendor=vendor))


@action("ReadProductTypes", "ProductTypes", paged=True, open=True)
def read_product_types(
    call: Call, *, filters: FiltersProductType | FiltersProductTypeDict | None = None
) -> tuple[ProductType, ...]:
    """List the built-in product types, and for a signed call those of the caller (LIC-001, CAT-002)."""
    parsed_filters = as_parsed(filters)
    own = call.own_rows(ProductType, parsed_filters) if call.has_account else ()
    built_in = () if call.page.first else load_catalog().product_types.values()  # they come before the first own one
    return call.select(chain(built_in, own), parsed_filters)


@action("DeleteProductType")
def delete_product_type(call: Call, *, force: bool = False, product_type_id: str) -> None:
    """Delete a product type of the caller (LIC-008).

    One that OMIs carry can be deleted only with `force`. The OMIs keep the code.
    """
    product_type = call.get_owned(ProductType, product_type_id, "LIC-008")
    images: list[Image] = call.state.find_by("image", "product_codes", product_type_id)
    own = [image.image_id for image in images if call.owns(image)]
    call.check(force or not images, "LIC-008/used", product_type_id=product_type_id, images=own or "another's OMI")
    call.drop(product_type)
