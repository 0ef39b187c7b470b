"""Functions that NumPy lacks, as source to be put into emitted modules.

erf: W. J. Cody, "Rational Chebyshev approximations for the error function",
Mathematics of Computation 23 (1969), 631-637; the coefficients are those of his
CALERF. The relative error is near the unit roundoff of double precision.
"""

from __future__ import annotations

ERF = '''
ERF_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2,
     3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2,
     1.28261652607737228e3, 2.84423683343917062e3),
)
ERF_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0,
     6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2,
     1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
     3.43936767414372164e3, 1.23033935480374942e3),
)
ERF_LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)


def _quotient(coefficients, y):
    """The quotient of two polynomials in y, highest powers first."""
    above, below = (np.full_like(y, item[0]) for item in coefficients)
    for a, b in zip(coefficients[0][1:], coefficients[1][1:]):
        above = above * y + a
        below = below * y + b
    return above / below


def erf(x, out):
    """The error function, by W. J. Cody's rational approximations (1969), into out."""
    x = np.asarray(x, np.float64)
    y = np.minimum(np.abs(x), 6.0)
    small, large = y <= 0.46875, y > 4.0
    result = np.empty_like(y)
    result[small] = y[small] * _quotient(ERF_SMALL, y[small] ** 2)
    middle = ~(small | large)
    near = y[middle]
    result[middle] = 1.0 - np.exp(-near * near) * _quotient(ERF_MIDDLE, near)
    far = y[large]
    square = 1.0 / (far * far)
    tail = (0.5641895835477563 - square * _quotient(ERF_LARGE, square)) / far
    result[large] = 1.0 - np.exp(-far * far) * tail
    result[np.isnan(x)] = np.nan
    np.copyto(out, np.copysign(result, x), casting="same_kind")
'''
"""`erf(x, out)`."""

CHECK = '''
class Outside(IndexError):
    """A computed subscript is outside its axis: which check, where, and the integer."""


def check(number, subscripts, extent):
    """Say where the first integer stands that is not one of 0 ... extent - 1."""
    # As an unsigned number, a negative one is beyond every extent.
    if subscripts.view(np.uint64).max(initial=0) >= extent:
        bad = np.argwhere((subscripts < 0) | (subscripts >= extent))[0]
        place = tuple(int(axis) for axis in bad)
        raise Outside(number, place, int(subscripts[place]))
'''
"""`check(number, subscripts, extent)`."""

SCATTER = '''
def scatter(into, flat, places, items, where):
    """Put or accumulate items at places of a flat array, where a condition holds."""
    places, items, where = np.broadcast_arrays(places, items, where)
    into(flat, places[where], items[where])
'''
"""`scatter(into, flat, places, items, where)`."""

ACCUMULATE = '''
def accumulate(out, left, right, alpha, beta):
    """out = beta*out + alpha*(left @ right), which BLAS does in one go."""
    product = alpha * np.matmul(left, right)
    np.copyto(out, beta * out + product if beta else product)
'''
"""`accumulate(out, left, right, alpha, beta)`."""

ALIGNED = '''
def aligned(size):
    """So many bytes, from an address that is a multiple of 64."""
    memory = np.empty(size + 64, np.uint8)
    start = -memory.__array_interface__["data"][0] % 64
    return memory[start : start + size]
'''
"""`aligned(size)`."""
