"""The model of each API version."""

from collections.abc import Iterable, Mapping

from lanes.versions import ApiVersion
from producers.model import Upsert, UpsertOpportunity, api_names, check
from producers.model_v3 import UpsertOpportunityV3

AnyUpsert = UpsertOpportunity | UpsertOpportunityV3

MODELS: dict[ApiVersion, type[UpsertOpportunity] | type[UpsertOpportunityV3]] = {
    ApiVersion.V2021_07_28: UpsertOpportunity,
    ApiVersion.V3: UpsertOpportunityV3,
}
_NAMES = {version: {*model.model_fields, *api_names(model)} for version, model in MODELS.items()}
_OTHER_VERSIONS = {
    version: {other: theirs - names for other, theirs in _NAMES.items()} for version, names in _NAMES.items()
}


def names_of(versions: Iterable[ApiVersion]) -> dict[str, str]:
    """Return the fields of these versions: for each name, of the API or of Python, the API's."""
    fields = [(name, field) for version in versions for name, field in MODELS[version].model_fields.items()]
    names = {field.alias or name: field.alias or name for name, field in fields}
    return names | {name: field.alias or name for name, field in fields}


def versions_with(name: str) -> list[ApiVersion]:
    """Return the versions that have a field."""
    return [version for version, names in _NAMES.items() if name in names]


def location_of(opportunity: object) -> str | None:
    """Return the location of a model or a mapping, None if it has no valid one."""
    if not isinstance(opportunity, dict) and isinstance(opportunity, Upsert):
        location = getattr(opportunity, "location_id", None)
    elif isinstance(opportunity, (dict, Mapping)):
        location = opportunity.get("locationId", opportunity.get("location_id"))
    else:
        return None
    return location if isinstance(location, str) else None


def check_body(opportunity: object, version: ApiVersion) -> AnyUpsert:
    """Return a model or a mapping as a body of this version.

    Raises:
        InvalidJobError: it is invalid; the message names the version that has an unknown field.
    """
    model = MODELS[version]
    if not isinstance(opportunity, (dict, model)) and isinstance(opportunity, Upsert):
        opportunity = opportunity.model_dump(by_alias=True, exclude_none=True, warnings=False)
    return check(model, opportunity, other_versions=_OTHER_VERSIONS[version])


def required_by(versions: Iterable[ApiVersion]) -> list[str]:
    """Return the fields that every one of these versions requires."""
    required = [
        [field.alias or name for name, field in MODELS[version].model_fields.items() if field.is_required()]
        for version in versions
    ]
    return [name for name in required[0] if all(name in others for others in required)]
