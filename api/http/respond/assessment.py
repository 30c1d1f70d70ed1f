"""How far the explanations agree, where they point together, and how far to trust them."""

from api.http.respond.pictures import box_out, picture_out
from api.http.schemas.assessment import (
    AffectedRegionOut,
    AgreementOut,
    ContradictionOut,
    MethodTrustOut,
    PairOut,
    TrustOut,
)
from api.types import AffectedRegion, Assessment, MethodTrust, OutlinedRegion


def agreement_out(assessment: Assessment | None) -> AgreementOut | None:
    """Give how far the methods agree; None if fewer than two say anything."""
    agreement = assessment.agreement if assessment else None
    if agreement is None:
        return None
    return AgreementOut(
        score=agreement.score,
        contradicting=[
            ContradictionOut.model_validate({"methods": pair.methods, "in": pair.disputed})
            for pair in agreement.contradicting
        ],
        pairs=[PairOut(methods=pair.methods, overlap=pair.overlap, jaccard=pair.jaccard) for pair in agreement.pairs],
    )


def affected_region_out(assessment: Assessment | None, outlined: OutlinedRegion | None) -> AffectedRegionOut | None:
    """Give where most methods point to, or why there is no such place; None without explanations.

    Raises
    ------
    ValueError
        There is a region, and no outline of it.
    """
    region = assessment.affected_region if assessment else None
    if region is None or isinstance(region, str):
        return None if region is None else AffectedRegionOut(reason=region)
    if outlined is None:
        raise ValueError("An affected region must be outlined.")
    return _region_out(region, outlined)


def _region_out(region: AffectedRegion, outlined: OutlinedRegion) -> AffectedRegionOut:
    return AffectedRegionOut(
        reason=None,
        polygon=list(outlined.polygon),
        area_percent_of_lungs=100 * region.share_of_lungs,
        bounding_box=box_out(outlined.bounding_box),
        side=region.sides[0] if len(region.sides) == 1 else "both",
        zone=list(region.zones),
        methods=list(region.methods),
        overlay=picture_out(outlined.overlay),
    )


def trust_out(assessment: Assessment | None) -> TrustOut | None:
    """Give how far to trust the explanations; None without any."""
    if assessment is None:
        return None
    methods = {method: _method_trust_out(judged) for method, judged in assessment.trust.items()}
    raised = dict.fromkeys(flag for judged in assessment.trust.values() for flag in judged.flags)
    return TrustOut(text=assessment.text, flags=list(raised), methods=methods)


def _method_trust_out(judged: MethodTrust) -> MethodTrustOut:
    return MethodTrustOut(
        lung_energy=judged.lung_energy,
        stability=judged.tests.stability,
        deletion=judged.tests.deletion,
        insertion=judged.tests.insertion,
        flags=list(judged.flags),
    )
